"""How are millions of CSV lines split into fields without one bad line spoiling its neighbours?

Owns reading CSV: delimiter, quotes, physical line numbers. Blocks without oddities go through Arrow at once; a block
with a wrong field count, a stray quote or undecodable bytes is read line by line. The promise: a malformed line is
one rejected line; an unclosed quote swallows nothing beyond it.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from core.errors import Invalid
from customers.importing.encodings import Encoding, detect_encoding
from customers.importing.sources import Block, Broken, Lines

DELIMITERS = (",", ";", "\t")
BLOCK_BYTES = 1 << 20
LONGEST_RECORD_LINES = 1000
LONGEST_RECORD_BYTES = 1 << 20
QUOTE, NEWLINE, RETURN = 34, 10, 13
_MISPLACED = "The line is not well-formed CSV: a quote or a line break stands in the wrong place."

csv.field_size_limit(LONGEST_RECORD_BYTES)


@dataclass(frozen=True)
class _Record:
    """One record of the slow path; `reason` is set when it is broken."""

    line: int
    last_line: int
    fields: list[str]
    reason: str | None = None


class CsvSource:
    """One CSV file. `columns` are its header's names."""

    def __init__(self, path: Path, known: frozenset[str]) -> None:
        self.path = path
        self.total_bytes = path.stat().st_size
        self.encoding: Encoding = detect_encoding(path)
        self.notes = [self.encoding.note] if self.encoding.note else []
        self._lone_returns = self._has_lone_returns()
        self.delimiter, self.columns, self._header_lines = self._read_header(known)

    def _has_lone_returns(self) -> bool:
        """Whether lines end with CR alone (old Mac exports)."""
        with self.path.open("rb") as file:
            head = file.read(BLOCK_BYTES)
        return b"\r" in head and b"\n" not in head and not self.encoding.codec.startswith("utf-16")

    def _read_header(self, known: frozenset[str]) -> tuple[str, list[str], int]:
        numbered = enumerate(self._physical_lines(), start=1)
        number, raw = next(((n, line) for n, line in numbered if line.strip()), (0, b""))
        if not number:
            raise Invalid(f"{self.path.name} has no header line.")
        try:
            text = raw.decode(self._line_codec)
        except UnicodeDecodeError as error:
            raise Invalid(f"The header line of {self.path.name} cannot be read as {self._line_codec}.") from error
        best: tuple[int, int, str, list[str]] | None = None
        for delimiter in DELIMITERS:
            names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]
            score = (sum(name.casefold() in known for name in names), len(names))
            if best is None or score > best[:2]:
                best = (*score, delimiter, names)
        assert best is not None
        return best[2], best[3], number

    @property
    def _line_codec(self) -> str:
        """The codec of the byte lines handed on; UTF-16 was turned into UTF-8 before splitting."""
        return "utf-8" if self.encoding.codec.startswith("utf-16") else self.encoding.codec

    def _chunks(self) -> Iterator[tuple[bytes, int]]:
        """The file's bytes in pieces, newlines as LF or CRLF, with how far in the file each ends."""
        with self.path.open("rb") as file:
            file.seek(self.encoding.skip)
            if self.encoding.codec.startswith("utf-16"):
                yield from self._recoded(file)
                return
            while piece := file.read(BLOCK_BYTES):
                yield (piece.replace(b"\r", b"\n") if self._lone_returns else piece), file.tell()

    def _recoded(self, file: BinaryIO) -> Iterator[tuple[bytes, int]]:
        decoder = codecs.getincrementaldecoder(self.encoding.codec)()
        try:
            while piece := file.read(BLOCK_BYTES):
                yield decoder.decode(piece).encode("utf-8"), file.tell()
            decoder.decode(b"", final=True)
        except UnicodeError as error:
            raise Invalid(f"{self.path.name} is not valid UTF-16 near byte {file.tell()}. Save it as UTF-8.") from error

    def _physical_lines(self) -> Iterator[bytes]:
        rest = b""
        for piece, _done in self._chunks():
            lines = (rest + piece).split(b"\n")
            rest = lines.pop()
            yield from lines
        if rest:
            yield rest

    def blocks(self) -> Iterator[Block]:
        """The records after the header, about a megabyte at a time. Empty lines are passed over."""
        rest, line, to_skip, done = b"", 1, self._header_lines, 0
        for piece, done in self._chunks():
            data = rest + piece
            while to_skip and (end := data.find(b"\n") + 1):
                data, line, to_skip = data[end:], line + 1, to_skip - 1
            if to_skip:
                rest = data
                continue
            block, used = self._block(data, line, done, final=False)
            rest = data[used:]
            line += data.count(b"\n", 0, used)
            yield block
        if rest and not to_skip:
            yield self._block(rest, line, done, final=True)[0]

    def _block(self, data: bytes, line: int, done: int, *, final: bool) -> tuple[Block, int]:
        """One block of the records that are complete in `data`, and how many bytes they took."""
        if final and not data.endswith(b"\n"):
            data += b"\n"
        quick = self._quick(data, line, final=final)
        if quick is not None:
            rows, lines, last_lines, used = quick
            table = self._parsed(rows)
            if table is not None and table.num_rows == len(lines):
                return Block(table, lines, last_lines, done_bytes=done), used
        records, used = self._slow(data, line, final=final)
        good = [record for record in records if record.reason is None]
        broken = [Broken(r.line, r.last_line, r.reason, r.fields) for r in records if r.reason is not None]
        columns = list(zip(*(record.fields for record in good), strict=True)) or [()] * len(self.columns)
        table = pa.table([pa.array(list(column), pa.string()) for column in columns], names=self._numbered)
        return Block(table, np.array([r.line for r in good], dtype=np.int64),
                     np.array([r.last_line for r in good], dtype=np.int64), broken, done), used

    @property
    def _numbered(self) -> list[str]:
        """Arrow takes columns by position here: header names may repeat or be empty."""
        return [str(number) for number in range(len(self.columns))]

    def _parsed(self, rows: bytes) -> Any:
        """The table of well-formed rows; None when Arrow sees them otherwise."""
        if not rows:
            return pa.table([pa.array([], pa.string())] * len(self.columns), names=self._numbered)
        reading: dict[str, Any] = {
            "read_options": arrow_csv.ReadOptions(column_names=self._numbered, block_size=max(len(rows) + 1, 1 << 16),
                                               use_threads=False),
            "parse_options": arrow_csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True,
                                                 ignore_empty_lines=False),
            "convert_options": arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in self._numbered}, strings_can_be_null=False),
        }
        try:
            return arrow_csv.read_csv(pa.BufferReader(rows), **reading)
        except pa.ArrowInvalid:
            return None

    def _quick(self, data: bytes, line: int, *, final: bool) -> tuple[bytes, Lines, Lines, int] | None:
        """Check a whole block at once: rows to parse, first and last lines, bytes used; None if anything is odd."""
        cut = data.rfind(b"\n") + 1
        codec = self._line_codec
        if b'"' in data[:cut]:
            return self._quick_quoted(data, line, final=final)
        rows = data[:cut]
        buffer = np.frombuffer(rows, dtype=np.uint8)
        ends = np.flatnonzero(buffer == NEWLINE)
        return self._checked(rows, buffer, ends, np.arange(len(ends)), codec, line)

    def _quick_quoted(self, data: bytes, line: int, *, final: bool) -> tuple[bytes, Lines, Lines, int] | None:
        buffer = np.frombuffer(data, dtype=np.uint8)
        inside = np.cumsum(buffer == QUOTE) & 1
        newlines = np.flatnonzero(buffer == NEWLINE)
        outer = inside[newlines] == 0
        if not outer.any():
            return None
        cut = int(newlines[outer][-1]) + 1
        if final and cut < len(data):
            return None  # an unclosed quote at the end of the file
        quotes = np.flatnonzero(buffer[:cut] == QUOTE)
        opening, closing = quotes[::2], quotes[1::2]
        delimiter = ord(self.delimiter)
        before = np.where(opening == 0, NEWLINE, buffer[opening - 1])
        after = buffer[np.minimum(closing + 1, cut - 1)]
        if not (np.isin(before, (delimiter, NEWLINE, QUOTE)).all()
                and np.isin(after, (delimiter, NEWLINE, RETURN, QUOTE)).all()):
            return None
        newlines = newlines[newlines < cut]
        positions = np.flatnonzero(inside[newlines] == 0)
        return self._checked(data[:cut], buffer[:cut], newlines[positions], positions, self._line_codec, line,
                             inside[:cut])

    def _checked(
        self, rows: bytes, buffer: Any, ends: Lines, positions: Lines, codec: str, line: int, inside: Any = None
    ) -> tuple[bytes, Lines, Lines, int] | None:
        """Accept the block if every record has the header's field count, no line is empty and all bytes decode."""
        used = len(rows)
        if len(ends) == 0:
            return b"", ends, ends, 0
        delimiters = buffer == ord(self.delimiter)
        if inside is not None:
            delimiters = delimiters & (inside == 0)
        counts = np.add.reduceat(delimiters.view(np.int8).astype(np.int64), np.concatenate(([0], ends[:-1] + 1)))
        widths = np.diff(np.concatenate(([-1], ends)))
        if (counts != len(self.columns) - 1).any() or widths.max() > LONGEST_RECORD_BYTES:
            return None
        if len(self.columns) == 1 and widths.min() <= 2:
            return None
        returns = np.flatnonzero(buffer == RETURN)
        if len(returns) and (buffer[returns + 1] != NEWLINE).any():
            return None  # Arrow would take a lone CR for the end of a line
        try:
            text = rows.decode(codec) if not rows.isascii() else None
        except UnicodeDecodeError:
            return None
        if text is not None and codec != "utf-8":
            rows = text.encode("utf-8")
        last = line + positions
        first = np.concatenate(([line], last[:-1] + 1))
        return rows, first.astype(np.int64), last.astype(np.int64), used

    def _slow(self, data: bytes, line: int, *, final: bool) -> tuple[list[_Record], int]:
        """Read a block line by line, joining lines only for quoted fields that close properly."""
        physical = data.split(b"\n")
        physical.pop()  # what follows the last newline: nothing at the end of the file, else the next block's
        records: list[_Record] = []
        index, used = 0, 0
        while index < len(physical):
            raw = physical[index]
            if not raw.strip(b"\r \t") and not (self.delimiter == "\t" and b"\t" in raw):
                index, used = index + 1, used + len(raw) + 1
                continue
            record, taken = self._record(physical, index, line + index, final=final)
            if record is None:
                break
            records.append(record)
            used += sum(len(part) + 1 for part in physical[index:index + taken])
            index += taken
        return records, used

    def _record(self, physical: list[bytes], index: int, line: int, *, final: bool) -> tuple[_Record | None, int]:
        """The record starting at a physical line and how many lines it took; None: the block ends within it."""
        codec = self._line_codec
        joined = b""
        for taken in range(1, LONGEST_RECORD_LINES + 1):
            if index + taken > len(physical):
                if not final and len(joined) < LONGEST_RECORD_BYTES:
                    return None, 0
                break
            part = physical[index + taken - 1]
            joined = joined + b"\n" + part if joined else part
            if len(joined) > LONGEST_RECORD_BYTES:
                reason = "The line is longer than a megabyte." if taken == 1 else "A quote is opened and not closed."
                return _Record(line, line, self._lenient(physical[index]), reason), 1
            if taken > 1 and b'"' not in part:
                continue
            fields = _split(joined, codec, self.delimiter)
            if isinstance(fields, str):
                return _Record(line, line, self._lenient(physical[index]), fields), 1
            if fields is None:
                continue
            if len(fields) == len(self.columns):
                return _Record(line, line + taken - 1, fields), taken
            reason = f"The line has {len(fields)} fields, the header has {len(self.columns)}."
            return _Record(line, line, self._lenient(physical[index]), reason), 1
        return _Record(line, line, self._lenient(physical[index]), "A quote is opened and not closed."), 1

    def _lenient(self, raw: bytes) -> list[str]:
        """What fields can be made out of one broken line, for naming the order it belongs to."""
        text = raw[:LONGEST_RECORD_BYTES // 4].decode(self._line_codec, errors="replace")
        text = text.rstrip("\r").replace("\0", "").replace("\r", " ")
        fields = next(csv.reader([text], delimiter=self.delimiter), [])
        if len(fields) < len(self.columns):
            return [part.strip('"') for part in text.split(self.delimiter)]
        return fields

    def originals(self, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
        """The text of the records at rising (first line, last line)."""
        wanted = iter(spans)
        span = next(wanted, None)
        held: list[bytes] = []
        for number, raw in enumerate(self._physical_lines(), start=1):
            if span is None:
                return
            if number < span[0]:
                continue
            held.append(raw)
            if number == span[1]:
                yield b"\n".join(held).decode(self._line_codec, errors="replace").rstrip("\r")
                held, span = [], next(wanted, None)


def _split(joined: bytes, codec: str, delimiter: str) -> list[str] | str | None:
    """The fields of one record; a reason when it is broken; None when a quote is still open."""
    try:
        text = joined.decode(codec)
    except UnicodeDecodeError:
        shown = {"utf-8": "UTF-8", "cp1252": "Windows-1252"}.get(codec, codec)
        return f"The line holds bytes that are not {shown}."
    try:
        rows = list(csv.reader(io.StringIO(text.rstrip("\r"), newline="\n"), delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return None
        return _MISPLACED
    return rows[0] if len(rows) == 1 else _MISPLACED
