"""Who is on a static list, and how do people get onto it?

Owns lists of people named one by one: by the shop's customer numbers or by e-mail addresses, typed, pasted or out of a
CSV file. The promise: whoever is not known is told with the line they stand on; adding somebody twice is harmless.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Table, delete, func, select
from sqlalchemy.orm import Session

from core.arrays import in_ids, in_texts
from core.bulk import bulk_insert, chunks
from core.errors import Conflict, Invalid
from core.types import to_us
from customers.identity import email_lookup
from customers.models import Address, Customer
from segments.language.conditions import InSegment
from segments.models import ListedPerson, Segment, SegmentVersion
from segments.saving.saved import check_name, segment_by_key, stale_now

LISTED: Table = ListedPerson.__table__  # type: ignore[assignment]
MOST_ENTRIES = 500_000
AT_ONCE = 5_000
_NUMBER_HEADS = ("customer_id", "customer", "customer_number", "customer number", "kundennummer", "number")
_EMAIL_HEADS = ("email", "e-mail", "mail", "email_address", "e-mail-adresse")


@dataclass(frozen=True)
class Entry:
    """One customer number or e-mail address, and the line it was given on, from 1."""

    line: int
    value: str


@dataclass(frozen=True)
class Outcome:
    """How many people were added or removed, how many were there (or gone) already, and who is not known."""

    changed: int
    already: int
    unknown: list[Entry] = field(default_factory=list)


def make_list(
    session: Session, key: str, *, name: str, description: str | None = None, author: str | None = None, now: datetime
) -> Segment:
    """A new static list, empty. Raises Invalid (key, name) or Conflict when the key is taken."""
    return new_listed(session, key, kind="list", name=name, description=description, author=author, now=now)


def new_listed(
    session: Session, key: str, *, kind: str, name: str, description: str | None = None, author: str | None = None,
    now: datetime,
) -> Segment:
    """A new segment of kind list or snapshot; its rule is that one is in it."""
    check_name(key, name)
    if session.scalar(select(Segment.id).where(Segment.key == key)) is not None:
        raise Conflict(f'There is a segment "{key}" already. Choose another key.', place="key")
    segment = Segment(key=key, name=name.strip(), description=description, kind=kind, version=1, created_at=now,
                      updated_at=now, stale_at=now, refresh_seconds=3600 if kind == "list" else None)
    session.add(segment)
    session.flush()
    session.add(SegmentVersion(segment_id=segment.id, number=1, rule=InSegment(key).to_json(), author=author,
                               created_at=now))
    session.flush()
    return segment


def read_entries(text: str) -> list[Entry]:
    """The entries of a text or CSV file, one a line: of several columns the one headed customer_id or email, else the
    first. Empty lines are passed over. Raises Invalid when there are too many."""
    rows = _rows(text)
    if not rows:
        return []
    heads = [cell.strip().casefold() for cell in rows[0][1]]
    column = next((heads.index(name) for name in (*_NUMBER_HEADS, *_EMAIL_HEADS) if name in heads), None)
    found = [Entry(line, cells[column or 0].strip() if len(cells) > (column or 0) else "")
             for line, cells in (rows if column is None else rows[1:])]
    entries = [entry for entry in found if entry.value]
    if len(entries) > MOST_ENTRIES:
        raise Invalid(f"A list takes {MOST_ENTRIES:,} lines at a time, this has {len(entries):,}. Divide it.")
    return entries


def _rows(text: str) -> list[tuple[int, list[str]]]:
    lines = [(number, line.strip("\ufeff\r")) for number, line in enumerate(text.split("\n"), 1)]
    first = next((line for _number, line in lines if line.strip()), "")
    delimiter = max(";,\t", key=first.count)
    return [(number, next(csv.reader([line.replace("\0", "")], delimiter=delimiter), []))
            for number, line in lines if line.strip()]


def add_people(session: Session, key: str, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Put people onto a list. Raises NotFound, and Conflict for a segment that is no list."""
    segment = _list(session, key)
    ids, unknown = _known(session, entries)
    there = _there(session, segment, ids)
    new = sorted(ids - there)
    write(session, segment, new, now=now)
    if new:
        _changed(session, segment, now)
    return Outcome(len(new), len(there), unknown)


def remove_people(session: Session, key: str, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Take people off a list. Raises like `add_people`."""
    segment = _list(session, key)
    ids, unknown = _known(session, entries)
    there = sorted(_there(session, segment, ids))
    for part in chunks(there, AT_ONCE):
        session.execute(delete(LISTED).where(LISTED.c.segment_id == segment.id, in_ids(LISTED.c.customer_id, part)))
    if there:
        _changed(session, segment, now)
    return Outcome(len(there), len(ids) - len(there), unknown)


def change_members(session: Session, key: str, customer_ids: Sequence[int], *, on: bool, now: datetime) -> int:
    """Put people, by their ids, onto a list, or take them off it; returns how many that changed. Raises like
    `add_people`."""
    segment = _list(session, key)
    ids = set(customer_ids)
    there = _there(session, segment, ids)
    concerned = sorted(ids - there if on else there)
    if on:
        write(session, segment, concerned, now=now)
    else:
        for part in chunks(concerned, AT_ONCE):
            session.execute(delete(LISTED).where(LISTED.c.segment_id == segment.id, in_ids(LISTED.c.customer_id, part)))
    if concerned:
        _changed(session, segment, now)
    return len(concerned)


def write(session: Session, segment: Segment, customer_ids: Sequence[int], *, now: datetime) -> None:
    """Write people who are not on the list yet."""
    count = len(customer_ids)
    bulk_insert(session.connection(), LISTED, {"segment_id": [segment.id] * count, "customer_id": customer_ids,
                                               "added_at": [to_us(now)] * count})


def people_on(session: Session, segment: Segment) -> int:
    """How many people a list or snapshot names."""
    return int(session.scalar(select(func.count()).where(LISTED.c.segment_id == segment.id)) or 0)


def listed_ids(session: Session, segment: Segment, *, after: int = 0, limit: int) -> list[int]:
    """Customer ids on a list, rising above `after`."""
    return list(session.scalars(
        select(LISTED.c.customer_id).where(LISTED.c.segment_id == segment.id, LISTED.c.customer_id > after)
        .order_by(LISTED.c.customer_id).limit(limit)))


def _list(session: Session, key: str) -> Segment:
    segment = segment_by_key(session, key)
    if segment.kind == "snapshot":
        raise Conflict(f"“{segment.name}” was frozen and never changes. Make a list for people you choose yourself.")
    if segment.kind != "list":
        raise Conflict(f"“{segment.name}” has a rule that says who is in. Change the rule, or make a list.")
    # Whoever changes a list has it to the end: two who put the same people on it would both find them missing.
    session.execute(select(Segment.id).where(Segment.id == segment.id).with_for_update())
    return segment


def _changed(session: Session, segment: Segment, now: datetime) -> None:
    segment.updated_at = now
    stale_now(session, segment, now=now)
    session.flush()


def _there(session: Session, segment: Segment, ids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for part in chunks(sorted(ids), AT_ONCE):
        found.update(session.scalars(select(LISTED.c.customer_id).where(
            LISTED.c.segment_id == segment.id, in_ids(LISTED.c.customer_id, part))))
    return found


def _known(session: Session, entries: Sequence[Entry]) -> tuple[set[int], list[Entry]]:
    ids: set[int] = set()
    unknown: list[Entry] = []
    for part in chunks(entries, AT_ONCE):
        numbers = _by_number(session, {entry.value for entry in part})
        mails = _by_email(session, {email_lookup(entry.value) for entry in part
                                    if "@" in entry.value and entry.value not in numbers})
        for entry in part:
            if entry.value in numbers:
                ids.add(numbers[entry.value])
            elif "@" in entry.value and (found := mails.get(email_lookup(entry.value))):
                ids.update(found)
            else:
                unknown.append(entry)
    return ids, unknown


def _by_number(session: Session, numbers: set[str]) -> dict[str, int]:
    rows = session.execute(select(Customer.external_id, Customer.id).where(in_texts(Customer.external_id, numbers)))
    return {row[0]: row[1] for row in rows}


def _by_email(session: Session, lookups: set[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    rows = session.execute(select(Address.lookup, Address.customer_id)
                           .where(Address.channel == "email", in_texts(Address.lookup, lookups)))
    for lookup, customer_id in rows:
        found.setdefault(lookup, []).append(customer_id)
    return found
