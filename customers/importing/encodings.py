"""In which character encoding was this text file written?

Owns the detection: a byte order mark decides; else UTF-8 if the bytes are UTF-8 (a few broken lines allowed when the
rest plainly is), else Windows-1252. The promise: no guess beyond these, and the answer is told to whoever imports.
"""

import codecs
from dataclasses import dataclass
from pathlib import Path

from core.errors import Invalid

BLOCK = 1 << 20


@dataclass(frozen=True)
class Encoding:
    """A codec name, the length of the byte order mark to skip, and what to tell the user (None: nothing)."""

    codec: str
    skip: int
    note: str | None = None


def detect_encoding(path: Path) -> Encoding:
    """Look through the file and say how it is encoded. Raises Invalid when it is no text file."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(codecs.BOM_UTF8):
        return Encoding("utf-8", 3)
    for mark, codec in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if head.startswith(mark):
            return Encoding(codec, 2)
    if head.startswith(b"PK\x03\x04"):
        raise Invalid(f"{path.name} is an Excel or zip file, not CSV. Save it as CSV (UTF-8) and import that.")
    if head.count(0) > len(head) // 8:
        raise Invalid(f"{path.name} is not a text file that can be read (perhaps UTF-16 without its mark). "
                      "Save it as CSV (UTF-8) and import that.")
    good, bad = _count_utf8(path)
    if bad == 0:
        return Encoding("utf-8", 0)
    if good > bad:
        return Encoding("utf-8", 0, "Some lines hold bytes that are not UTF-8 like the rest; those are rejected.")
    return Encoding("cp1252", 0, "The file is not UTF-8; it was read as Windows-1252.")


def _count_utf8(path: Path) -> tuple[int, int]:
    """How many lines hold well-formed non-ASCII UTF-8, and how many hold bytes that are not UTF-8."""
    good = bad = 0
    rest = b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            block = rest + block
            cut = block.rfind(b"\n") + 1
            rest, block = block[cut:], block[:cut]
            if not block.isascii():
                good, bad = _add_lines(block, good, bad)
            if len(rest) > 64 * BLOCK:
                raise Invalid(f"{path.name} has a line of more than 64 MB; that is not a CSV file.")
    return _add_lines(rest, good, bad)


def _add_lines(block: bytes, good: int, bad: int) -> tuple[int, int]:
    for line in block.split(b"\n"):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
            good += 1
        except UnicodeDecodeError:
            bad += 1
    return good, bad
