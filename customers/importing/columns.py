"""Which of the file's columns is which of ours?

Owns matching names (`mapping` first, then the same name, capitals and blanks aside), what is missing, and turning a
raw block into a checked batch. The promise: a missing column is one clear sentence before anything is stored.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from core.errors import Invalid
from customers.importing.cells import Converted, rows_where
from customers.importing.kinds import Batch, Field, Kind, Plan, Run
from customers.importing.sources import Block, Source

ANY = "\0any"
"""Stands for the shop of a line that could not be split."""


def plan_columns(kind: Kind, source: Source, mapping: Mapping[str, str]) -> Plan:
    """Match the file's columns. Raises Invalid naming what is missing, doubled or unknown in the mapping."""
    ours = {field.name for field in kind.fields}
    for theirs, name in mapping.items():
        if theirs not in source.columns:
            raise Invalid(f"The file has no column {theirs!r} to map. It has: {_listed(source.columns)}.")
        if name not in ours and not kind.takes_extras:
            raise Invalid(f"{name!r} is no column of {kind.name}. Use one of: {', '.join(sorted(ours))}.")
    positions: dict[str, int] = {}
    extras: dict[str, int] = {}
    taken = set(mapping.values())
    for position, theirs in enumerate(source.columns):
        name = mapping.get(theirs) or _like(theirs)
        if theirs not in mapping and name in taken:
            name = ""  # another column was mapped to this name; this one is the file's own, unknown to us
        target, key = (positions, name) if name in ours else (extras, mapping.get(theirs, theirs))
        if key in target:
            raise Invalid(f"Two columns are called {key!r}. Rename one of them or use --map.")
        if key:
            target[key] = position
    _require(kind, positions, source)
    named = {name: source.columns[position] for name, position in positions.items()}
    return Plan(kind, positions, extras, named, len(source.columns))


def _like(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip()).casefold()


def _require(kind: Kind, positions: Mapping[str, int], source: Source) -> None:
    missing = [field.name for field in kind.fields if field.required and field.name not in positions]
    missing += [" or ".join(names) for names in kind.one_of if not any(name in positions for name in names)]
    if missing:
        raise Invalid(
            f"The file lacks {'the column' if len(missing) == 1 else 'the columns'} {', '.join(missing)}."
            f" It has: {_listed(source.columns)}. If a column has another name, use --map theirs=ours."
        )


def _listed(columns: list[str]) -> str:
    shown = ", ".join(name or "(no name)" for name in columns[:40])
    return shown + (f" and {len(columns) - 40} more" if len(columns) > 40 else "")


def checked_batches(run: Run, source: Source, plan: Plan) -> Iterator[Batch]:
    """The file's rows as typed batches; what does not fit is rejected on the way."""
    for block in source.blocks():
        run.read += block.read
        for broken in block.broken:
            run.rejects.add(broken.line, broken.last_line, broken.reason)
            _reject_owner(run, plan, broken.line, broken.fields)
        if len(block.lines):
            batch = _checked(run, plan, block)
            if len(batch):
                yield batch
        run.progress(block.done_bytes, source.total_bytes)


def _checked(run: Run, plan: Plan, block: Block) -> Batch:
    columns: dict[str, Any] = {}
    faults: dict[int, str] = {}
    for field in plan.kind.fields:
        position = plan.positions.get(field.name)
        if position is None:
            continue
        converted = _convert(plan, field, _one(block.table.column(position)))
        columns[field.name] = converted.values
        for row, reason in converted.faults.items():
            faults.setdefault(row, f"{plan.shown(field.name)}: {reason}")
        if field.filled and converted.values.null_count:
            for row in rows_where(converted.values.is_null()):
                faults.setdefault(row, f"{plan.shown(field.name)}: The cell is empty.")
    extras = {name: _one(block.table.column(position)) for name, position in plan.extras.items()} \
        if plan.kind.takes_extras else {}
    batch = Batch(columns, extras, block.lines, block.last_lines)
    if plan.kind.check is not None:
        for row, reason in plan.kind.check(batch).items():
            faults.setdefault(row, reason)
    if not faults:
        return batch
    for row, reason in faults.items():
        run.rejects.add(block.lines[row], block.last_lines[row], reason)
        if plan.kind.owner:
            _own(run, int(block.lines[row]), tuple(
                columns[name][row].as_py() if name in columns else None for name in plan.kind.owner))
    keep = np.ones(len(batch), dtype=bool)
    keep[list(faults)] = False
    return batch.take(np.flatnonzero(keep))


def _convert(plan: Plan, field: Field, array: Any) -> Converted:
    try:
        converted = field.convert(array)
    except Invalid as error:
        raise Invalid(f"Column {plan.shown(field.name)}: {error.message}.") from error
    return Converted(_one(converted.values), converted.faults)


def _one(values: Any) -> Any:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _reject_owner(run: Run, plan: Plan, line: int, fields: list[str]) -> None:
    """A line that could not be split may still say which order it belongs to; that order must not come in halves.

    Counted from the left and from the right: a surplus delimiter shifts one of the two. Its shop is not trusted.
    """
    if not plan.kind.owner:
        return
    position = plan.positions[plan.kind.owner[-1]]
    for place in (position, len(fields) - (plan.width - position)):
        if 0 <= place < len(fields) and fields[place].strip():
            _own(run, line, (*[ANY] * (len(plan.kind.owner) - 1), fields[place].strip()))


def _own(run: Run, line: int, owner: tuple[str | None, ...]) -> None:
    run.memory.setdefault("bad_owners", {}).setdefault(owner, line)
