"""What happens when a file is imported, whatever its kind?

Owns the course: open, match columns, check rows, store them chunk by chunk, write the rejected lines. The promise: one
bad line never stops or half-imports a file; an import killed in the middle leaves whole chunks, and running it again
completes it; a dry run changes nothing and counts the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from core.database import Database
from core.errors import Invalid
from customers.importing.columns import checked_batches, plan_columns
from customers.importing.customer_numbers import notice_forgotten
from customers.importing.kinds import Kind, Progress, Run, default_rejected_path
from customers.importing.opening import open_source
from customers.importing.rejects import Rejects


@dataclass(frozen=True)
class ImportResult:
    """Counts of lines (read, imported, rejected) and of things (created, updated); notes worth telling the user.

    `rejected_path` is the file of rejected lines, None without any; `first_rejects` its first ten (line, reason).
    """

    kind: str
    read: int
    imported: int
    rejected: int
    rejected_path: Path | None
    created: int
    updated: int
    dry_run: bool = False
    notes: tuple[str, ...] = ()
    first_rejects: tuple[tuple[int, str], ...] = field(default=())


def _silent(_done: int, _total: int) -> None:
    return None


def _own_kind(name: str) -> Kind:
    from customers.importing import KINDS

    if name not in KINDS:
        raise Invalid(f"{name!r} is no kind of import known here: use one of {', '.join(KINDS)}.")
    return KINDS[name]


def import_file(
    database: Database,
    kind: Kind | str,
    path: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    dry_run: bool = False,
    now: datetime,
    progress: Progress | None = None,
    rejected_path: Path | None = None,
    secret_key: str | None = None,
) -> ImportResult:
    """Import one CSV or Parquet file of a kind.

    `mapping` is theirs -> ours. `progress(done, total)` is called with bytes. `rejected_path` defaults to
    `<file>.rejected.csv` beside the file. Without `secret_key` the import refuses to run once people were forgotten.
    A kind of this room may be given by name. Raises NotFound for a missing file, Invalid when nothing of it can be
    read: no text, no header, a column missing.
    """
    if isinstance(kind, str):
        kind = _own_kind(kind)
    path = Path(path)
    fields = frozenset(each.name for each in kind.fields) | {name.casefold() for name in mapping or {}}
    source = open_source(path, fields)
    plan = plan_columns(kind, source, mapping or {})
    run = Run(database, now, dry_run, secret_key, progress or _silent, Rejects(), notes=list(source.notes))
    if plan.extras:
        use = f"kept as {kind.extras_become}" if kind.takes_extras else "not used"
        run.notes.append(f"Columns {use}: {', '.join(plan.extras)}.")
    notice_forgotten(run)
    if kind.prepare is not None:
        kind.prepare(run, source, plan)
    try:
        kind.load(run, checked_batches(run, source, plan))
    finally:
        run.finish()
    run.progress(source.total_bytes, source.total_bytes)
    target = (rejected_path or default_rejected_path(path)) if len(run.rejects) else None
    if target is not None:
        try:
            run.rejects.write(target, source)
        except OSError as error:
            raise Invalid(
                f"The import is done, but the rejected lines could not be written to {target} ({error.strerror})."
            ) from error
    rejected = len(run.rejects)
    return ImportResult(kind.name, run.read, run.read - rejected, rejected, target, run.created, run.updated,
                        dry_run, tuple(run.notes), tuple(run.rejects.listed(10)))
