"""Where do files that somebody uploads lie until they are imported?

Owns the folder `imports` of the home: each upload under a name we make, with a note beside it of what it is. The
promise: no name from outside reaches the disk; an upload is gone after its import, at the latest after a day.
"""

import contextlib
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from campaigns.importing import KIND as CAMPAIGNS
from core.database import Database
from core.errors import Invalid, NotFound
from coupons.codes.importing import KIND as REDEMPTIONS
from customers.importing import KINDS, ImportResult, Kind, import_file
from customers.importing.opening import open_source

ALL_KINDS: dict[str, Kind] = {**KINDS, CAMPAIGNS.name: CAMPAIGNS, REDEMPTIONS.name: REDEMPTIONS}
KEPT_SECONDS = 86_400
_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Upload:
    """One uploaded file: our name for it, its kind, and what its owner called it (for showing only)."""

    token: str
    kind: str
    called: str

    def kind_of(self) -> Kind:
        """The kind of facts in it."""
        return ALL_KINDS[self.kind]


class Uploads:
    """The uploads of one installation."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "imports"

    def keep(self, stream: IO[bytes], *, kind: str, called: str) -> Upload:
        """Store what was sent. Raises Invalid for an unknown kind or an empty file."""
        if kind not in ALL_KINDS:
            raise Invalid(f"Choose what the file holds: {', '.join(ALL_KINDS)}.", place="kind")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.sweep()
        upload = Upload(uuid.uuid4().hex, kind, called[:200] or "a file")
        path = self.path(upload.token)
        with path.open("wb") as file:
            while block := stream.read(1 << 20):
                file.write(block)
        if path.stat().st_size == 0:
            path.unlink()
            raise Invalid("Choose a file; this one is empty.", place="file")
        self._note(upload.token).write_text(json.dumps(asdict(upload)), encoding="utf-8")
        return upload

    def path(self, token: str) -> Path:
        """Where an upload lies. Raises NotFound for anything that is no name of ours."""
        if not _TOKEN.fullmatch(token):
            raise NotFound("There is no such upload.")
        return self._folder / f"{token}.data"

    def rejected_path(self, token: str) -> Path:
        """Where the rejected lines of an upload lie."""
        return self.path(token).with_suffix(".rejected.csv")

    def _note(self, token: str) -> Path:
        return self.path(token).with_suffix(".json")

    def find(self, token: str) -> Upload:
        """An upload that was not imported yet. Raises NotFound."""
        try:
            upload = Upload(**json.loads(self._note(token).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            upload = None
        if upload is None or upload.kind not in ALL_KINDS or not self.path(token).is_file():
            raise NotFound("This upload was imported or is too old. Upload the file again.")
        return upload

    def columns(self, upload: Upload) -> list[str]:
        """The file's own column names. Raises Invalid when nothing can be read."""
        known = frozenset(field.name for field in upload.kind_of().fields)
        try:
            return list(open_source(self.path(upload.token), known).columns)
        except Invalid as error:
            raise Invalid(error.message.replace(self.path(upload.token).name, f"“{upload.called}”")) from error

    def run(
        self, upload: Upload, database: Database, *, mapping: Mapping[str, str], dry_run: bool, now: datetime,
        secret_key: str,
    ) -> ImportResult:
        """Import the upload, or only check it; after an import the file is gone, the rejected lines stay for a day."""
        path = self.path(upload.token)
        result = import_file(database, upload.kind_of(), path, mapping=mapping, dry_run=dry_run, now=now,
                             rejected_path=self.rejected_path(upload.token), secret_key=secret_key)
        if not dry_run:
            self.drop(upload.token)
        return result

    def drop(self, token: str) -> None:
        """Remove an upload and its note."""
        self.path(token).unlink(missing_ok=True)
        self._note(token).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what has lain here for more than a day."""
        oldest = time.time() - KEPT_SECONDS
        for path in self._folder.iterdir():
            with contextlib.suppress(OSError):
                if path.is_file() and path.stat().st_mtime < oldest:
                    path.unlink()
