"""Which letters lie ready for the print shop?

Owns reading the folders of the letter channel: one per day, each with its letters and a manifest. The promise:
only a date and a letter's own id lead to a file, so no name from outside leads out of the folder; the letters of a
forgotten person leave the folder and the manifest.
"""

import contextlib
import csv
import fcntl
import io
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from core.errors import NotFound

MANIFEST = "manifest.csv"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LETTER = re.compile(r"[A-Za-z0-9]{1,40}", re.ASCII)


@dataclass(frozen=True)
class PrintRun:
    """The letters of one day."""

    on: date
    letters: int
    bytes: int


@dataclass(frozen=True)
class LetterLine:
    """One line of a manifest; `is_there`: the PDF lies beside it."""

    public_id: str
    address: str
    subject: str
    code: str
    bytes: int
    posted_at: str
    is_there: bool


def print_runs(home: Path) -> list[PrintRun]:
    """The days with letters, newest first."""
    folder = home / "letters"
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if _DAY.fullmatch(path.name) and path.is_dir():
            with contextlib.suppress(ValueError):
                lines = _lines(path)
                found.append(PrintRun(date.fromisoformat(path.name), len(lines), sum(line.bytes for line in lines)))
    return sorted(found, key=lambda run: run.on, reverse=True)


def letters_of(home: Path, day: str) -> list[LetterLine]:
    """The manifest of one day, each letter once. Raises NotFound."""
    return _lines(_folder(home, day))


def manifest_path(home: Path, day: str) -> Path:
    """The manifest file of one day. Raises NotFound."""
    path = _folder(home, day) / MANIFEST
    if not path.is_file():
        raise NotFound("This day has no manifest.")
    return path


def letter_path(home: Path, day: str, public_id: str) -> Path:
    """The PDF of one letter. Raises NotFound for anything that is not a letter of that day."""
    if not _LETTER.fullmatch(public_id):
        raise NotFound("There is no such letter.")
    path = _folder(home, day) / f"{public_id}.pdf"
    if not path.is_file() or path.is_symlink():
        raise NotFound("There is no such letter.")
    return path


def _folder(home: Path, day: str) -> Path:
    path = home / "letters" / day
    if not _DAY.fullmatch(day) or not path.is_dir():
        raise NotFound("There are no letters of that day.")
    return path


def _lines(folder: Path) -> list[LetterLine]:
    path = folder / MANIFEST
    if not path.is_file():
        return []
    found: dict[str, LetterLine] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = row.get("public_id") or ""
            if _LETTER.fullmatch(name):
                found[name] = LetterLine(name, row.get("address") or "", row.get("subject") or "",
                                         row.get("code") or "", int(row.get("bytes") or 0), row.get("posted_at") or "",
                                         (folder / f"{name}.pdf").is_file())
    return list(found.values())


def erase_letters(home: Path, public_ids: Collection[str]) -> int:
    """Remove these letters and their lines in the manifests; returns how many letters were there."""
    folder, gone = home / "letters", 0
    wanted = {name for name in public_ids if _LETTER.fullmatch(name)}
    for path in folder.iterdir() if folder.is_dir() and wanted else ():
        if not _DAY.fullmatch(path.name):
            continue
        there = [name for name in wanted if (path / f"{name}.pdf").is_file()]
        for name in there:
            (path / f"{name}.pdf").unlink()
        gone += len(there)
        _rewrite(path / MANIFEST, wanted)
    return gone


def _rewrite(path: Path, without: set[str]) -> None:
    """Write the manifest anew in place, under the lock that the letter channel takes to add lines."""
    if not path.is_file():
        return
    with path.open("r+", encoding="utf-8", newline="") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        rows = list(csv.reader(file))
        kept = [row for row in rows if not row or row[0] not in without]
        if len(kept) == len(rows):
            return
        text = io.StringIO()
        csv.writer(text).writerows(kept)
        file.seek(0)
        file.write(text.getvalue())
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
