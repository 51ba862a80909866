"""How is a whole list of ids or words one bound parameter on both databases?

Owns `in_ids` and `in_texts`. PostgreSQL takes an array, SQLite a JSON list unpacked by `json_each`; the statement's
text stays the same whatever the length, so it is compiled once and no variable limit is met.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import BigInteger, String, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import Boolean, TypeDecorator


class IdList(TypeDecorator[list[int]]):
    """A list of ids as one parameter: BIGINT[] on PostgreSQL, JSON text elsewhere."""

    impl = ARRAY(BigInteger)
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(ARRAY(BigInteger) if dialect.name == "postgresql" else String())

    def bind_processor(self, dialect: Any) -> Callable[[Iterable[int] | None], str | None]:
        """As text: PostgreSQL's driver takes ten times as long to write an array of it."""
        begins, ends = ("{", "}") if dialect.name == "postgresql" else ("[", "]")

        def written(value: Iterable[int] | None) -> str | None:
            # numpy's own numbers are written as plain ones
            return None if value is None else begins + ",".join(map(str, map(int, value))) + ends

        return written


class TextList(TypeDecorator[list[str]]):
    """A list of words as one parameter: TEXT[] on PostgreSQL, JSON text elsewhere."""

    impl = ARRAY(String)
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(ARRAY(String) if dialect.name == "postgresql" else String())

    def process_bind_param(self, value: Iterable[str] | None, dialect: Any) -> Any:
        if value is None:
            return None
        texts = list(value)
        return texts if dialect.name == "postgresql" else json.dumps(texts)


class _InIds(ColumnElement[bool]):
    """`column` is one of the ids in the array parameter `ids`."""

    type = Boolean()
    inherit_cache = True
    # What makes up the statement's identity; the list itself is a parameter, so one compiled statement serves any list.
    _traverse_internals = [
        ("column", InternalTraversal.dp_clauseelement), ("ids", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: ColumnElement[Any], ids: BindParameter[Any]) -> None:
        self.column = column
        self.ids = ids

    def self_group(self, against: Any = None) -> "ColumnElement[bool]":
        return self


@compiles(_InIds)
def _elsewhere(element: _InIds, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = compiler.process(element.column, **options), compiler.process(element.ids, **options)
    return f"{column} IN (SELECT value FROM json_each({ids}))"


@compiles(_InIds, "postgresql")
def _postgresql(element: _InIds, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = compiler.process(element.column, **options), compiler.process(element.ids, **options)
    return f"{column} = ANY({ids})"


def in_ids(column: Any, ids: Iterable[int]) -> ColumnElement[bool]:
    """The condition that `column` is one of `ids`, as one bound parameter."""
    expression = column.__clause_element__() if hasattr(column, "__clause_element__") else column
    return _InIds(expression, bindparam(None, list(ids), type_=IdList(), unique=True))


def in_texts(column: Any, texts: Iterable[str]) -> ColumnElement[bool]:
    """The condition that `column` is one of `texts`, as one bound parameter."""
    expression = column.__clause_element__() if hasattr(column, "__clause_element__") else column
    return _InIds(expression, bindparam(None, list(texts), type_=TextList(), unique=True))


def in_texts_named(column: Any, name: str) -> ColumnElement[bool]:
    """The same with a parameter of this name, for a statement of `core.hot`; `text_list` makes its value."""
    return _InIds(column.__clause_element__(), bindparam(name, type_=TextList()))


def text_list(texts: list[str], dialect_name: str) -> Any:
    """A list of words as the driver takes it."""
    return texts if dialect_name == "postgresql" else json.dumps(texts)


class _IsListed(ColumnElement[bool]):
    """`word` is an item of the JSON list in `column`, or the list is empty."""

    type = Boolean()
    inherit_cache = True
    _traverse_internals = [
        ("column", InternalTraversal.dp_clauseelement), ("word", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: ColumnElement[Any], word: ColumnElement[Any]) -> None:
        self.column = column
        self.word = word

    def self_group(self, against: Any = None) -> "ColumnElement[bool]":
        return self


@compiles(_IsListed)
def _listed_elsewhere(element: _IsListed, compiler: SQLCompiler, **options: Any) -> str:
    column, word = compiler.process(element.column, **options), compiler.process(element.word, **options)
    return f"({column} = '[]' OR EXISTS (SELECT 1 FROM json_each({column}) WHERE value = {word}))"


@compiles(_IsListed, "postgresql")
def _listed_postgresql(element: _IsListed, compiler: SQLCompiler, **options: Any) -> str:
    column, word = compiler.process(element.column, **options), compiler.process(element.word, **options)
    return f"({column} = '[]'::jsonb OR {column} @> to_jsonb(CAST({word} AS TEXT)))"


def is_listed(column: Any, word: Any) -> ColumnElement[bool]:
    """The condition that the JSON list of words in `column` is empty or holds `word`, an expression."""
    return _IsListed(column.__clause_element__(), word)
