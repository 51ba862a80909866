"""How do a column's cells become typed values, with a reason for each that does not fit?

Owns the column converters for words, numbers and choices. A converter takes an Arrow array (strings from CSV, any
type from Parquet) and returns the values and the faults by row. An empty cell is no value. The promise: nothing is cut
off, rounded away or guessed silently.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import Invalid


@dataclass(frozen=True)
class Converted:
    """The typed values of a column (no value: null), and the reason for every row that does not fit."""

    values: Any
    faults: dict[int, str] = field(default_factory=dict)


Converter = Callable[[Any], Converted]


def text_of(array: Any) -> Any:
    """Any column as strings without surrounding blanks; empty cells are null. Raises Invalid for lists and the like."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        array, kind = array.dictionary_decode(), kind.value_type
    if pa.types.is_floating(kind):
        whole = pc.equal(pc.floor(array), array)
        if pc.all(pc.fill_null(whole, fill_value=True)).as_py() is not False and not _huge(array):
            array = array.cast(pa.int64())
        else:
            array = pa.array([None if v is None else repr(v) for v in array.to_pylist()], pa.string())
    elif pa.types.is_null(kind):
        return pa.nulls(len(array), pa.string())
    elif pa.types.is_nested(kind):
        raise Invalid(f"the column holds {kind}, not single values")
    try:
        text = array if pa.types.is_string(array.type) else array.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Invalid(f"the column's type {kind} cannot be read") from error
    text = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.equal(text, ""), None, text)


def _huge(array: Any) -> bool:
    return bool(pc.any(pc.fill_null(pc.greater(pc.abs(array), 9e15), fill_value=False)).as_py())


def rows_where(mask: Any) -> list[int]:
    """The row numbers at which a boolean array is true."""
    if isinstance(mask, pa.ChunkedArray):
        mask = mask.combine_chunks()
    filled = pc.fill_null(mask, fill_value=False)
    return [int(row) for row in np.flatnonzero(filled.to_numpy(zero_copy_only=False))]


def by_distinct(text: Any, parse: Callable[[str], Any], kind: Any) -> Converted:
    """Convert each distinct string once with `parse`, which raises Invalid with the reason."""
    coded = text.dictionary_encode()
    values: list[Any] = []
    reasons: dict[int, str] = {}
    for number, word in enumerate(coded.dictionary.to_pylist()):
        try:
            values.append(parse(word))
        except Invalid as error:
            values.append(None)
            reasons[number] = error.message
    distinct = pa.array(values, kind)
    result = distinct.take(coded.indices)
    if not reasons:
        return Converted(result)
    codes = coded.indices.to_pylist()
    return Converted(result, {row: reasons[code] for row, code in enumerate(codes) if code in reasons})


def text(limit: int) -> Converter:
    """Words of at most `limit` characters."""

    def convert(array: Any) -> Converted:
        words = text_of(array)
        faults: dict[int, str] = {}
        longest = pc.max(pc.utf8_length(words)).as_py()
        if longest is not None and longest > limit:
            for row in rows_where(pc.greater(pc.utf8_length(words), limit)):
                faults[row] = f"The text is longer than {limit} characters."
        if pc.any(pc.match_substring(words, "\0")).as_py():
            for row in rows_where(pc.match_substring(words, "\0")):
                faults[row] = "The text holds a character of value zero."
        return Converted(words, faults)

    return convert


def long_text(array: Any) -> Converted:
    """Free text of at most 100,000 characters."""
    return text(100_000)(array)


def word(limit: int) -> Converter:
    """Like `text`, in lower case: the shop's own kinds and channels."""

    def convert(array: Any) -> Converted:
        converted = text(limit)(array)
        return Converted(pc.utf8_lower(converted.values), converted.faults)

    return convert


def choice(allowed: Iterable[str]) -> Converter:
    """One of a closed list of words, capitals aside."""
    words = tuple(allowed)

    def parse(cell: str) -> str:
        found = cell.casefold()
        if found not in words:
            raise Invalid(f"{cell[:40]!r} is not one of {', '.join(words)}.")
        return found

    return lambda array: by_distinct(text_of(array), parse, pa.string())


def parsed(parse: Callable[[str], Any], kind: Any = None) -> Converter:
    """Cells for which `parse` knows the normal form; it raises Invalid."""
    return lambda array: by_distinct(text_of(array), parse, kind or pa.string())


_TRUE = {"true", "yes", "1", "ja", "y", "t", "x", "wahr"}
_FALSE = {"false", "no", "0", "nein", "n", "f", "falsch"}


def boolean(array: Any) -> Converted:
    """Yes or no."""

    def parse(cell: str) -> bool:
        found = cell.casefold()
        if found in _TRUE or found in _FALSE:
            return found in _TRUE
        raise Invalid(f"{cell[:40]!r} is neither yes nor no. Use true or false.")

    return by_distinct(text_of(array), parse, pa.bool_())
