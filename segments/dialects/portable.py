"""Where do SQLite, PostgreSQL and DuckDB differ, and what do we write for each?

Owns the few expressions that the three engines spell differently: lists as one parameter, case folding, search within
a text, JSON attributes and md5. Everything else in a rule is plain SQL that means the same on all three. Values are
always bound parameters.
"""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, String, Text, bindparam, false
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Boolean, Double, TypeDecorator, TypeEngine

from core.texts import folded

SHORT_LIST = 24
"""Up to so many values are written one by one, which lets an engine skip blocks by their bounds."""


class _List(TypeDecorator[Any]):
    """A list as one parameter: an array on PostgreSQL, a list on DuckDB, JSON text on SQLite."""

    impl = Text
    cache_ok = True
    item: TypeEngine[Any] = Text()

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(self.item))

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        if value is None:
            return None
        return json.dumps(list(value), ensure_ascii=False) if dialect.name == "sqlite" else list(value)


class WordList(_List):
    """A list of texts as one parameter."""

    cache_ok = True


class NumberList(_List):
    """A list of ids as one parameter."""

    cache_ok = True
    item = BigInteger()


class _Condition(FunctionElement[bool]):
    """True or false where a condition stands; never written `(..) = 1`, which would hide it from SQLite's indexes."""

    inherit_cache = True
    type = Boolean()

    def self_group(self, against: Any = None) -> Any:
        return self


class InShortList(_Condition):
    """`column IN (a, b, c)`."""

    name = "in_short_list"
    inherit_cache = True


class InLongList(_Condition):
    """`column` is one of the values of one list parameter."""

    name = "in_long_list"
    inherit_cache = True


@compiles(InShortList)
def _short(element: InShortList, compiler: SQLCompiler, **options: Any) -> str:
    column, *values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} IN ({', '.join(values)}))"


@compiles(InLongList)
def _long_sqlite(element: InLongList, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({values})))"


@compiles(InLongList, "postgresql")
def _long_postgresql(element: InLongList, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} = ANY({values}))"


@compiles(InLongList, "duckdb")
def _long_duckdb(element: InLongList, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} IN (SELECT unnest({values})))"


@compiles(InLongList, "spark")
def _long_spark(element: InLongList, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    item = element.clauses.clauses[1].type
    kind = "bigint" if isinstance(item, NumberList) else "string"
    return f"({column} IN (SELECT explode(from_json({values}, 'array<{kind}>'))))"


def in_words(column: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """The column is one of these texts, whatever their number: bound one by one or as one list parameter."""
    texts = sorted(set(values))
    if not texts:
        return false()
    if len(texts) == 1:
        return column == texts[0]
    if len(texts) <= SHORT_LIST:
        return InShortList(column, *(bindparam(None, text, type_=String(), unique=True) for text in texts))
    return InLongList(column, bindparam(None, texts, type_=WordList(), unique=True))


_UPPER = "".join(chr(code) for code in range(128, 0x1E944) if folded(chr(code)) != chr(code))
_LOWER = folded(_UPPER)


class fold(FunctionElement[str]):
    """The case-folded copy of a column; SQLite has it from core/database.py."""

    name = "fold"
    inherit_cache = True
    type = Text()


@compiles(fold)
def _fold_sqlite(element: fold, compiler: SQLCompiler, **options: Any) -> str:
    return f"fold({compiler.process(element.clauses, **options)})"


@compiles(fold, "postgresql")
def _fold_postgresql(element: fold, compiler: SQLCompiler, **options: Any) -> str:
    # What lower() does beyond ASCII depends on the server's locale, so those letters are written out; plain texts are
    # spared the long list.
    text = compiler.process(element.clauses, **options)
    full = f"""lower(translate({text}, '{_UPPER}', '{_LOWER}') COLLATE "C")"""
    return f"""(CASE WHEN octet_length({text}) = length({text}) THEN lower({text} COLLATE "C") ELSE {full} END)"""


@compiles(fold, "duckdb")
def _fold_duckdb(element: fold, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower({compiler.process(element.clauses, **options)})"


@compiles(fold, "spark")
def _fold_spark(element: fold, compiler: SQLCompiler, **options: Any) -> str:
    # Java lowers some letters by their neighbours; letter by letter is what the others do.
    plain = "".join(chr(code) for code in range(65, 91))
    text = compiler.process(element.clauses, **options)
    return f"translate({text}, '{plain}{_UPPER}', '{plain.lower()}{_LOWER}')"


class holds_text(_Condition):
    """The first text holds the second; no pattern characters have a meaning."""

    name = "holds_text"
    inherit_cache = True


@compiles(holds_text)
def _holds_sqlite(element: holds_text, compiler: SQLCompiler, **options: Any) -> str:
    return f"(instr({compiler.process(element.clauses, **options)}) > 0)"


@compiles(holds_text, "postgresql")
@compiles(holds_text, "duckdb")
def _holds_elsewhere(element: holds_text, compiler: SQLCompiler, **options: Any) -> str:
    return f"(strpos({compiler.process(element.clauses, **options)}) > 0)"


@compiles(holds_text, "spark")
def _holds_spark(element: holds_text, compiler: SQLCompiler, **options: Any) -> str:
    return f"(instr({compiler.process(element.clauses, **options)}) > 0)"


class _Attribute(FunctionElement[Any]):
    """A value of the JSON attributes, missing unless it is of the wanted kind; clauses: column, key, path."""

    inherit_cache = True
    sqlite_kinds = ""
    postgresql_kind = ""
    duckdb_kinds = ""
    spark_kinds = ""
    number_type = ""


class attribute_text(_Attribute):
    """An attribute that is a text."""

    name = "attribute_text"
    inherit_cache = True
    type = Text()
    sqlite_kinds, postgresql_kind, duckdb_kinds = "'text'", "string", "'VARCHAR'"
    spark_kinds = "STRING"


class attribute_number(_Attribute):
    """An attribute that is a number."""

    name = "attribute_number"
    inherit_cache = True
    type = Double()
    sqlite_kinds, postgresql_kind = "'integer', 'real'", "number"
    duckdb_kinds = "'BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE'"
    spark_kinds = "BIGINT|DOUBLE|DECIMAL.*"
    number_type = "DOUBLE PRECISION"


class attribute_flag(_Attribute):
    """An attribute that is true or false, as the text `true` or `false`."""

    name = "attribute_flag"
    inherit_cache = True
    type = Text()
    sqlite_kinds, postgresql_kind, duckdb_kinds = "'true', 'false'", "boolean", "'BOOLEAN'"
    spark_kinds = "BOOLEAN"


class attribute_any(_Attribute):
    """Something that is not null when the attribute has a value of whatever kind."""

    name = "attribute_any"
    inherit_cache = True
    type = Text()


class property_text(_Attribute):
    """A property of an event as text, whatever its kind: 129.9, true, /sale. Numbers have one spelling, see imports."""

    name = "property_text"
    inherit_cache = True
    type = Text()


@compiles(property_text)
def _property_sqlite(element: property_text, compiler: SQLCompiler, **options: Any) -> str:
    column, key, _path = (compiler.process(clause, **options) for clause in element.clauses)
    return (f"(SELECT CASE WHEN type IN ('true', 'false') THEN type ELSE CAST(atom AS TEXT) END"
            f" FROM json_each({column}) WHERE key = {key})")


@compiles(property_text, "postgresql")
def _property_postgresql(element: property_text, compiler: SQLCompiler, **options: Any) -> str:
    column, key, _path = (compiler.process(clause, **options) for clause in element.clauses)
    return f'(({column} ->> {key}::text) COLLATE "C")'


@compiles(property_text, "duckdb")
def _property_duckdb(element: property_text, compiler: SQLCompiler, **options: Any) -> str:
    column, _key, path = element.clauses
    return _call(compiler, "json_extract_string", column, path, options)


@compiles(property_text, "spark")
def _property_spark(element: property_text, compiler: SQLCompiler, **options: Any) -> str:
    column, key, _path = (compiler.process(clause, **options) for clause in element.clauses)
    return f"try_variant_get(try_parse_json({column}), '$[\"' || {key} || '\"]', 'string')"


def attribute(kind: type[_Attribute], column: ColumnElement[Any], key: str) -> ColumnElement[Any]:
    """The attribute `key` as text, number or flag. The parser refuses keys with quotes, so the path is exact."""
    return kind(column, bindparam(None, key, type_=String(), unique=True),
                bindparam(None, f'$."{key}"', type_=String(), unique=True))


@compiles(attribute_text)
@compiles(attribute_number)
@compiles(attribute_flag)
@compiles(attribute_any)
def _attribute_sqlite(element: _Attribute, compiler: SQLCompiler, **options: Any) -> str:
    # json_each, because a path does not find a key that was stored with \u escapes.
    column, key, _path = (compiler.process(clause, **options) for clause in element.clauses)
    shown = "type" if isinstance(element, attribute_flag) else "value"
    kinds = "type <> 'null'" if isinstance(element, attribute_any) else f"type IN ({element.sqlite_kinds})"
    return f"(SELECT {shown} FROM json_each({column}) WHERE key = {key} AND {kinds})"


@compiles(attribute_text, "postgresql")
@compiles(attribute_number, "postgresql")
@compiles(attribute_flag, "postgresql")
@compiles(attribute_any, "postgresql")
def _attribute_postgresql(element: _Attribute, compiler: SQLCompiler, **options: Any) -> str:
    column, key, _path = element.clauses
    held = compiler.process(column, **options)
    value = f"({held} ->> {compiler.process(key, **options)}::text)"
    if isinstance(element, attribute_any):
        return value
    shown = f"CAST({value} AS {element.number_type})" if element.number_type else f'{value} COLLATE "C"'
    kind = f"jsonb_typeof({held} -> {compiler.process(key, **options)}::text)"
    return f"(CASE WHEN {kind} = '{element.postgresql_kind}' THEN {shown} END)"


@compiles(attribute_text, "duckdb")
@compiles(attribute_number, "duckdb")
@compiles(attribute_flag, "duckdb")
@compiles(attribute_any, "duckdb")
def _attribute_duckdb(element: _Attribute, compiler: SQLCompiler, **options: Any) -> str:
    column, _key, path = element.clauses
    kind, value = (_call(compiler, name, column, path, options) for name in ("json_type", "json_extract_string"))
    if isinstance(element, attribute_any):
        return f"(CASE WHEN {kind} <> 'NULL' THEN {value} END)"
    shown = f"TRY_CAST({value} AS {element.number_type})" if element.number_type else value
    return f"(CASE WHEN {kind} IN ({element.duckdb_kinds}) THEN {shown} END)"


@compiles(attribute_text, "spark")
@compiles(attribute_number, "spark")
@compiles(attribute_flag, "spark")
@compiles(attribute_any, "spark")
def _attribute_spark(element: _Attribute, compiler: SQLCompiler, **options: Any) -> str:
    column, key, _path = (compiler.process(clause, **options) for clause in element.clauses)
    place = f"try_parse_json({column}), '$[\"' || {key} || '\"]'"
    kind = f"schema_of_variant(variant_get({place}, 'variant'))"
    if isinstance(element, attribute_any):
        return f"(CASE WHEN {kind} <> 'VOID' THEN {kind} END)"
    shown = f"try_variant_get({place}, '{'double' if element.number_type else 'string'}')"
    return f"(CASE WHEN {kind} RLIKE '^({element.spark_kinds})$' THEN {shown} END)"


def _call(compiler: SQLCompiler, name: str, column: Any, path: Any, options: dict[str, Any]) -> str:
    return f"{name}({compiler.process(column, **options)}, {compiler.process(path, **options)})"
