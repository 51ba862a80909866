"""Which type does a further customer column have, now and for ever?

Owns attribute types: number, boolean, date or text, fixed by all values of the first file that brings the column. The
promise: a later value that does not fit rejects its line; it never changes what earlier ones mean.
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select

from core.bulk import bulk_insert
from core.errors import Invalid
from core.types import Base
from customers.importing.amounts import parse_decimal
from customers.importing.cells import Converted, by_distinct, text, text_of
from customers.importing.kinds import Plan, Run
from customers.importing.moments import day
from customers.importing.sources import Source
from customers.models import AttributeType

ATTRIBUTE_KINDS = ("number", "boolean", "date", "text")
LONGEST_NAME = 100
LONGEST_TEXT = 1000

_BOOLEAN = r"^(?i:true|false|yes|no|ja|nein)$"
# No leading zeros: 00123 is a number plate, not a number. No comma: 1,234 could be two things.
_NUMBER = r"^-?(0|[1-9]\d{0,14})(\.\d{1,10})?$"
_DATE = r"^(\d{4}-\d{2}-\d{2}([T ].*)?|\d{2}\.\d{2}\.\d{4}( .*)?)$"


def fix_types(run: Run, source: Source, plan: Plan) -> None:
    """Know the type of every further column before the first row is stored; look through the file for new ones."""
    for name in plan.extras:
        if len(name) > LONGEST_NAME:
            raise Invalid(f"The column name {name[:40]!r} ... is longer than {LONGEST_NAME} characters.")
    with run.database.reading() as session:
        types: dict[str, str] = dict(session.execute(select(AttributeType.name, AttributeType.kind)).all())
    unknown = {name: position for name, position in plan.extras.items() if name not in types}
    found = _infer(source, unknown) if unknown else {}
    run.memory["attribute_types"] = types | found
    if found and not run.dry_run:
        with run.transaction() as connection:
            known = set(connection.scalars(select(AttributeType.name)))
            new = [name for name in found if name not in known]
            bulk_insert(connection, Base.metadata.tables["attribute_types"],
                        {"name": new, "kind": [found[name] for name in new]})


def _infer(source: Source, columns: dict[str, int]) -> dict[str, str]:
    """The narrowest type that every value of the file fits; none for columns without any value."""
    possible: dict[str, list[str]] = {name: ["boolean", "number", "date"] for name in columns}
    filled: set[str] = set()
    for block in source.blocks():
        for name, position in columns.items():
            try:
                words = text_of(block.table.column(position).combine_chunks())
            except Invalid as error:
                raise Invalid(f"Column {name}: {error.message}.") from error
            if words.null_count == len(words):
                continue
            filled.add(name)
            possible[name] = [kind for kind in possible[name] if _fits(words, kind)]
    return {name: (possible[name] or ["text"])[0] for name in columns if name in filled}


def _fits(words: Any, kind: str) -> bool:
    if kind == "date":
        shaped = pc.all(pc.match_substring_regex(words, _DATE)).as_py()
        return bool(shaped) and not day(words).faults
    pattern = _BOOLEAN if kind == "boolean" else _NUMBER
    return bool(pc.all(pc.match_substring_regex(words, pattern)).as_py())


def typed(array: Any, kind: str) -> Converted:
    """A further column's values as JSON values of its fixed type: dates as YYYY-MM-DD."""
    words = text_of(array)
    if kind == "text":
        return text(LONGEST_TEXT)(words)
    if kind == "number":
        return by_distinct(words, _number, pa.float64())
    if kind == "boolean":
        return by_distinct(words, _truth, pa.bool_())
    converted = day(words)
    return Converted(converted.values.cast(pa.string()), converted.faults)


def _number(cell: str) -> float:
    number = float(parse_decimal(cell))
    if abs(number) > 1e15:
        raise Invalid(f"{cell[:40]!r} is too large.")
    return number


def _truth(cell: str) -> bool:
    truths = {"true": True, "yes": True, "ja": True, "1": True, "false": False, "no": False, "nein": False, "0": False}
    if cell.casefold() not in truths:
        raise Invalid(f"{cell[:40]!r} is neither yes nor no. Use true or false.")
    return truths[cell.casefold()]


def json_value(value: Any, kind: str) -> Any:
    """A typed value as it stands in `Customer.attributes`; whole numbers without a fraction."""
    if kind == "number" and value is not None and float(value).is_integer():
        return int(value)
    return value


