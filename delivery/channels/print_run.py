"""Where do letters lie until the print shop takes them?

The letter channel: one PDF per letter under `<home>/letters/<date>/`, named by the message's public id, and a
`manifest.csv` beside them with one line per letter and a checksum. Handing the same letter over twice leaves one file.
A file is complete or absent, and stands in the manifest only when it is complete.
"""

import csv
import fcntl
import hashlib
import io
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from core.texts import harmless_cell
from delivery.channels import Envelope, Outcome, accepted, refused_for_now

COLUMNS = ("public_id", "file", "address", "subject", "code", "bytes", "sha256", "posted_at")


class LetterChannel:
    """The folder `letters` under an installation's home."""

    name = "letter"

    def __init__(self, home: Path) -> None:
        self._folder = home / "letters"

    def send_many(self, envelopes: Sequence[Envelope], *, now: datetime) -> list[Outcome]:
        """Write each letter and its line in the manifest."""
        folder = self._folder / now.date().isoformat()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for envelope in envelopes:
                _write_whole(folder / f"{_safe(envelope.message_id)}.pdf", envelope.body)
            _append(folder / "manifest.csv", [_line(envelope, now) for envelope in envelopes])
        except OSError as error:
            # Letters without their line are not in the print run: nothing has been posted.
            refusal = refused_for_now(None, f"the folder for letters cannot be written: {error.strerror}", "us")
            return [refusal] * len(envelopes)
        return [accepted(text=f"{now.date().isoformat()}/{envelope.message_id}.pdf") for envelope in envelopes]


def _safe(name: str) -> str:
    if not name.isalnum():
        raise ValueError("a letter's file is named by its public id")
    return name


def _write_whole(path: Path, body: bytes) -> None:
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _line(envelope: Envelope, now: datetime) -> tuple[str, ...]:
    return (
        envelope.message_id, f"{envelope.message_id}.pdf", harmless_cell(envelope.address),
        harmless_cell(envelope.subject), envelope.code or "", str(len(envelope.body)),
        hashlib.sha256(envelope.body).hexdigest(), now.isoformat(),
    )


def _append(path: Path, lines: list[tuple[str, ...]]) -> None:
    """Add lines under the file's lock, so that two workers never mix theirs and the header stands once."""
    text = io.StringIO()
    writer = csv.writer(text)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_size == 0:
            writer.writerow(COLUMNS)
        writer.writerows(lines)
        os.write(descriptor, text.getvalue().encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
