"""Which generation of the mirror counts, and is its file still what was published?

Owns the mirror's folder: the manifest, the names of generations, publishing one durably and whole, and telling a
damaged file. A file counts only if its size, its time of last write, the secret it holds and its rows per table are
those of the manifest; what is damaged within is found by DuckDB's checksums when it is read, and then marked here, so
that every process lets go of it until it has been built anew.
"""

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import duckdb

KEPT_GENERATIONS = 2
Config = dict[str, str | bool | int | float | list[str]]

_DAMAGE = (duckdb.IOException, duckdb.FatalException, duckdb.InternalException, duckdb.SerializationException)


class Damaged(Exception):
    """The file of a generation is not what was published."""


def tells_of_damage(error: BaseException) -> bool:
    """Whether DuckDB says so because a file is not what it should be (a wrong checksum is a plain error of no class);
    a wrong or interrupted statement raises others."""
    return isinstance(error, _DAMAGE) or type(error) is duckdb.Error


@dataclass(frozen=True)
class Manifest:
    """Which generation counts, how far it has read the changes, and what its file must be like.

    `shape` names its columns, `identity` the database it copies. `sorted_at` is when all its rows last lay in order,
    `changed` how many have been written since; `took_seconds` is what the last refresh that had something to do took.
    """

    file: str
    number: int
    cursor: int
    as_of: str
    identity: str
    shape: str
    secret: str
    rows: Mapping[str, int]
    size_bytes: int
    written_ns: int
    sorted_at: str
    changed: int
    took_seconds: float

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.as_of)

    @property
    def total_rows(self) -> int:
        return sum(self.rows.values())


class Folder:
    """The folder of one mirror, whose columns `shape` names."""

    def __init__(self, path: Path, shape: str, config: Config) -> None:
        self.path = path
        self.shape = shape
        self.config = config

    def manifest(self) -> Manifest | None:
        """The newest published generation, if it belongs to this program's columns."""
        try:
            manifest = Manifest(**json.loads((self.path / "manifest.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return manifest if manifest.shape == self.shape else None

    def opened(self, manifest: Manifest) -> duckdb.DuckDBPyConnection:
        """The generation attached read-only as `generation`. Raises Damaged, or FileNotFoundError when it is gone."""
        self.check(manifest)
        connection = self.connected(":memory:")
        try:
            connection.execute(f"ATTACH {quoted(self.path / manifest.file)} AS generation (READ_ONLY)")
            connection.execute("USE generation")
            held = connection.execute("SELECT secret FROM published").fetchone()
            if held != (manifest.secret,) or counted(connection, manifest.rows) != manifest.rows:
                raise Damaged(f"{manifest.file} holds something else than was published")
        except BaseException as error:
            connection.close()
            if tells_of_damage(error) or isinstance(error, duckdb.CatalogException):
                raise Damaged(f"{manifest.file}: {error}") from error
            raise
        return connection

    def check(self, manifest: Manifest) -> tuple[int, int]:
        """Raise Damaged when the file was written to since it was published, or marked; FileNotFoundError when gone.

        The answer changes with whatever is done to the file, even if its time of last write is put back.
        """
        found = (self.path / manifest.file).stat()
        if (found.st_size, found.st_mtime_ns) != (manifest.size_bytes, manifest.written_ns):
            raise Damaged(f"{manifest.file} was written to after it was published")
        if self._mark(manifest).exists():
            raise Damaged(f"{manifest.file} is marked as damaged")
        return found.st_ino, found.st_ctime_ns

    def read_through(self, manifest: Manifest) -> None:
        """Read every block of the generation, which checks DuckDB's checksums. Raises Damaged."""
        with contextlib.closing(self.opened(manifest)) as connection:
            try:
                for name in manifest.rows:
                    connection.execute(f'SELECT bit_xor(hash(COLUMNS(*))) FROM "{name}"').fetchall()
            except duckdb.Error as error:
                if not tells_of_damage(error):
                    raise
                raise Damaged(f"{manifest.file}: {error}") from error

    def mark(self, manifest: Manifest) -> None:
        """Have every process let go of this generation; the next refresh builds another."""
        with contextlib.suppress(OSError):
            self._mark(manifest).touch()

    def _mark(self, manifest: Manifest) -> Path:
        return (self.path / manifest.file).with_suffix(".damaged")

    def temporary(self, number: int, *, step: str = "") -> Path:
        """Where the generation of this number is written before it counts."""
        return self.path / f"{_file(number)}{step}.tmp"

    def connected(self, path: Path | str) -> duckdb.DuckDBPyConnection:
        """A file that is being written, or memory."""
        connection = duckdb.connect(str(path), config=self.config)
        # DuckDB takes a process that was started by another for a notebook, and would draw bars into its log.
        connection.execute("SET enable_progress_bar = false")
        return connection

    @contextlib.contextmanager
    def writing(self, number: int) -> Iterator[duckdb.DuckDBPyConnection]:
        """A generation under a temporary name, complete and durable under its own name when the block ends."""
        temporary = self.temporary(number)
        with self.connected(temporary) as target:
            yield target
            target.execute("CREATE OR REPLACE TABLE published AS SELECT $1 AS secret", [secrets.token_hex(16)])
            target.execute("CHECKPOINT")
        if Path(f"{temporary}.wal").exists():
            raise RuntimeError("a mirror generation was closed with work outstanding")
        _make_durable(temporary)
        temporary.replace(self.path / _file(number))
        _make_durable(self.path)

    def described(
        self, number: int, tables: Iterable[str], *, cursor: int, now: datetime, identity: str, sorted_at: str,
        changed: int, started: float,
    ) -> Manifest:
        """The manifest of a generation that has just been written; `started` is the counter when work began."""
        path = self.path / _file(number)
        found = path.stat()
        with duckdb.connect(str(path), read_only=True) as connection:
            held = connection.execute("SELECT secret FROM published").fetchone()
            rows = counted(connection, tables)
        assert held is not None
        return Manifest(path.name, number, cursor, now.isoformat(), identity, self.shape, held[0], rows,
                        found.st_size, found.st_mtime_ns, sorted_at, changed, round(time.perf_counter() - started, 3))

    def publish(self, manifest: Manifest) -> Manifest:
        """Make this generation the one that counts; returns it."""
        temporary = self.path / "manifest.json.tmp"
        temporary.write_text(json.dumps(asdict(manifest)), encoding="utf-8")
        _make_durable(temporary)
        temporary.replace(self.path / "manifest.json")
        _make_durable(self.path)
        return manifest

    def next_number(self) -> int:
        """A name is never used twice, not even after a crash between the file and the manifest."""
        used = [*self.path.glob("gen-*.duckdb"), *self.path.glob("gen-*.damaged")]
        return 1 + max(map(_number, used), default=0)

    def sweep(self) -> None:
        """Delete what a writer that died has left."""
        for left in self.path.glob("*.tmp*"):
            left.unlink(missing_ok=True)

    def clear_old(self, manifest: Manifest) -> None:
        """Delete all but the newest generations; who still reads one keeps it open until done."""
        for path in [*self.path.glob("gen-*.duckdb"), *self.path.glob("gen-*.damaged")]:
            if _number(path) <= manifest.number - KEPT_GENERATIONS:
                path.unlink(missing_ok=True)


def quoted(path: Path) -> str:
    """The path as a text in a statement; ATTACH takes no parameters."""
    return "'" + str(path).replace("'", "''") + "'"


def counted(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> dict[str, int]:
    """Rows per table."""
    found = {}
    for name in tables:
        row = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()
        assert row is not None
        found[name] = int(row[0])
    return found


def _file(number: int) -> str:
    return f"gen-{number:08d}.duckdb"


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("gen-"))


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
