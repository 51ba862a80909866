"""Which codes lie ready to be handed out, and will they last?

Owns batches: pools of codes generated ahead or imported from a file, public codes for posters, their stock and the
warning when it runs low. The promise: filling a pool takes the same memory for a thousand codes as for twenty million,
in short transactions of sorted rows; a code that exists already or cannot be read is told with its line and reason, and
nobody can redeem what lies in stock.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any, cast

from sqlalchemy import Connection, Row, Table, case, delete, func, select, update
from sqlalchemy.orm import Session

from core.arrays import in_texts
from core.bulk import bulk_insert, chunks, reserve_ids
from core.codes import LONGEST, canonical, new_codes, pattern_codes
from core.database import Database
from core.errors import Conflict, Invalid, NotFound
from core.types import MICROSECOND, to_us
from coupons.models import Batch, Code, Offer
from coupons.offers.offers import offer_by_key

CHUNK = 5_000
PIECE = 500_000
"""Codes are drawn or read so many at a time and stored in their own order: neighbours then share a page of the index.
In the order of a file each of twenty million would have a page to itself, read, logged and written for one code."""
MOST_GENERATED = 20_000_000
UNLIMITED = 2**31 - 1
SHORTEST = 4
SOURCES = ("generated", "pool", "pool_first")
"""Where an offer's codes come from: made when needed, the pool alone (who finds it empty waits), or the pool first."""
_STATES = ("stock", "issued", "redeemed", "revoked")
_CODES = cast(Table, Code.__table__)

Line = tuple[int, str]
Reject = Callable[[int, str, str], None]
"""Called with the line's number, what stood there, and why it was not taken."""


@dataclass(frozen=True)
class Pool:
    """One batch as lists show it; `codes` came with it, of which `stock` lie ready, `given` are out with uses left,
    `redeemed` are used up and `withdrawn` were stopped."""

    id: int
    offer: str
    offer_name: str
    kind: str
    name: str
    codes: int
    rejected: int
    stock: int
    redeemed: int
    created_at: datetime
    given: int = 0
    withdrawn: int = 0


def configure_source(session: Session, offer_key: str, *, source: str, low_stock: int | None, now: datetime) -> Offer:
    """Say where the offer's codes come from and at how many its owner is warned. Raises Invalid and NotFound."""
    if source not in SOURCES:
        raise Invalid(f"Use one of {', '.join(SOURCES)}.", place="source")
    if low_stock is not None and not 0 <= low_stock <= MOST_GENERATED:
        raise Invalid(f"Use a whole number from 0 to {MOST_GENERATED}.", place="low_stock")
    offer = offer_by_key(session, offer_key)
    offer.code_source, offer.low_stock = source, low_stock
    offer.updated_at = max(now, offer.updated_at + MICROSECOND)
    session.flush()
    return offer


def generate_pool(
    database: Database, offer_key: str, count: int, *, name: str, now: datetime,
    random_bytes: Callable[[int], bytes] = os.urandom, progress: Callable[[int], None] | None = None,
) -> int:
    """Make `count` codes for the offer's pool; returns the number of the batch.

    Raises Invalid for a count out of bounds and for a pattern with too few free places to be hard to guess.
    """
    if not 1 <= count <= MOST_GENERATED:
        raise Invalid(f"Use a whole number from 1 to {MOST_GENERATED}.", place="count")
    with database.reading() as session:
        pattern = offer_by_key(session, offer_key).pattern
    if pattern and 32 ** pattern.count("#") < 1_000_000 * count:
        raise Invalid(f"The pattern {pattern} has too few # for {count} codes that nobody can guess.", place="pattern")
    batch_id, offer = _begin(database, offer_key, "generated", name, now)
    done = 0
    while done < count:
        size = min(PIECE, count - done)
        drawn = pattern_codes(size, offer.pattern, random_bytes=random_bytes) if offer.pattern else new_codes(
            size, prefix=offer.prefix, random_bytes=random_bytes)
        for fresh in _store_piece(database, batch_id, offer, enumerate(drawn), _ignore, now):
            done += fresh
            if progress is not None:
                progress(done)
    return batch_id


def import_pool(
    database: Database, offer_key: str, lines: Iterable[Line], *, name: str, now: datetime, reject: Reject,
    progress: Callable[[int], None] | None = None, piece: int = PIECE,
) -> int:
    """Take codes as they come, numbered lines of one code each, `piece` at a time; returns the number of the batch.

    Codes that exist already, here or earlier in the file, and lines that hold no code go to `reject`.
    """
    batch_id, offer = _begin(database, offer_key, "imported", name, now)
    waiting = iter(lines)
    done = 0
    for first in waiting:
        for fresh in _store_piece(database, batch_id, offer, chain([first], islice(waiting, piece - 1)), reject, now):
            done += fresh
            if progress is not None:
                progress(done)
    return batch_id


def discard_empty(session: Session, batch_id: int) -> None:
    """Forget a batch of which no line could be taken; one with codes stays."""
    session.execute(delete(Batch).where(Batch.id == batch_id, Batch.codes == 0))


def add_public_codes(
    session: Session, offer_key: str, codes: Sequence[tuple[str, str | None]], *, name: str, uses: int | None,
    now: datetime,
) -> list[str]:
    """Open codes for everybody, each with the region where it hangs or is printed; `uses` None: as often as wanted.

    Returns them as they are stored. Raises Invalid for one that cannot be read, Conflict for one that exists.
    """
    offer = offer_by_key(session, offer_key)
    if uses is not None and not 1 <= uses <= UNLIMITED:
        raise Invalid(f"Use a whole number from 1 to {UNLIMITED}.", place="uses")
    batch = Batch(offer_id=offer.id, kind="public", name=name.strip()[:200] or offer.name, codes=len(codes), rejected=0,
                  created_at=now)
    session.add(batch)
    session.flush()
    written = []
    for text, region in codes:
        code, spelling = canonical(text), " ".join(text.split())
        if not SHORTEST <= len(code) <= LONGEST:
            raise Invalid(f"Use {SHORTEST} to {LONGEST} letters and digits.", place="code")
        if code in written or session.scalar(select(Code.id).where(Code.code == code)) is not None:
            raise Conflict(f"There is a code {code} already. Choose another.", place="code")
        session.add(Code(
            code=code, offer_id=offer.id, origin=f"batch:{batch.id}", batch_id=batch.id, state="issued", used=0,
            reserved=0, written=spelling if len(spelling) <= LONGEST else None,
            region=(region or "").strip()[:100] or None, use_limit=uses or UNLIMITED, issued_at=now,
            valid_from=max(now, offer.valid_from) if offer.valid_from else now, valid_until=offer.valid_until))
        session.flush()
        written.append(code)
    return written


def batch_of(session: Session, code: str) -> int | None:
    """The number of the batch that a stored code came with; None: it was made for one person."""
    return session.scalar(select(Code.batch_id).where(Code.code == code))


def list_pools(session: Session, *, offer: str | None = None, after: int = 0, limit: int = 100) -> list[Pool]:
    """Batches with their stock, in the order in which they came."""
    statement = (
        select(Batch, Offer.key, Offer.name).join(Offer, Offer.id == Batch.offer_id)
        .where(Batch.id > after).order_by(Batch.id).limit(limit))
    if offer is not None:
        statement = statement.where(Offer.key == offer)
    batches = session.execute(statement).all()
    # Summed along the index of batches: grouped by state, too, SQLite would first sort every code in memory.
    counts = {row.batch_id: row for row in session.execute(
        select(Code.batch_id, *(func.sum(case((Code.state == state, 1), else_=0)).label(state) for state in _STATES))
        .where(Code.batch_id.in_([row[0].id for row in batches]), Code.batch_id.is_not(None))
        .group_by(Code.batch_id))}
    return [_pool(batch, key, offer_name, counts.get(batch.id)) for batch, key, offer_name in batches]


def _pool(batch: Batch, key: str, offer_name: str, counts: Row[Any] | None) -> Pool:
    stock, given, redeemed, withdrawn = [int(counts[place + 1]) if counts else 0 for place in range(len(_STATES))]
    return Pool(batch.id, key, offer_name, batch.kind, batch.name, batch.codes, batch.rejected, stock=stock,
                redeemed=redeemed, created_at=batch.created_at, given=given, withdrawn=withdrawn)


def find_pool(session: Session, batch_id: int) -> Pool:
    """One batch. Raises NotFound."""
    found = list_pools(session, after=batch_id - 1, limit=1)
    if not found or found[0].id != batch_id:
        raise NotFound("There is no such pool.")
    return found[0]


def pool_page(
    session: Session, batch_id: int, *, after: int = 0, limit: int = 50
) -> tuple[list[Code], int | None]:
    """Codes of a batch in the order of their numbers, and where the next page begins (None: no more)."""
    rows = list(session.scalars(
        select(Code).where(Code.batch_id == batch_id, Code.id > after).order_by(Code.id).limit(limit + 1)))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def codes_of_pool(session: Session, batch_id: int) -> Iterator[tuple[str, str, str | None, int]]:
    """Every code of a batch with its state, region and uses, in the order of the codes' numbers, a chunk at a time."""
    after = 0
    while rows := session.execute(
            select(Code.id, func.coalesce(Code.written, Code.code).label("code"), Code.state, Code.region, Code.used)
            .where(Code.batch_id == batch_id, Code.id > after).order_by(Code.id).limit(CHUNK)).all():
        for row in rows:
            yield row.code, row.state, row.region, row.used
        after = rows[-1].id


def pools_running_low(session: Session) -> list[tuple[Offer, int]]:
    """Active offers that hand out of a pool whose stock has come down to their warning, and what is left."""
    found = []
    for offer in session.scalars(select(Offer).where(
            Offer.active.is_(True), Offer.code_source.in_(("pool", "pool_first"))).order_by(Offer.key)):
        warning = offer.low_stock or 0
        few = select(Code.id).where(Code.offer_id == offer.id, Code.state == "stock").limit(warning + 1).subquery()
        left = session.scalar(select(func.count()).select_from(few)) or 0
        if left <= warning:
            found.append((offer, left))
    return found


@dataclass(frozen=True)
class _Terms:
    """What filling a pool needs of its offer, read once."""

    id: int
    prefix: str
    pattern: str
    uses: int


def _begin(database: Database, offer_key: str, kind: str, name: str, now: datetime) -> tuple[int, _Terms]:
    with database.writing() as session:
        offer = offer_by_key(session, offer_key)
        batch = Batch(offer_id=offer.id, kind=kind, name=name.strip()[:200] or offer.name, codes=0, rejected=0,
                      created_at=now)
        session.add(batch)
        session.flush()
        return batch.id, _Terms(offer.id, offer.prefix, offer.pattern, offer.limit_per_code)


def _store_piece(database: Database, batch_id: int, offer: _Terms, lines: Iterable[Line], reject: Reject,
                 now: datetime) -> Iterator[int]:
    """Store lines in the order of their codes, chunk by chunk; yields how many of each chunk were new."""
    numbers: dict[str, int] = {}
    spelled: dict[str, str] = {}
    rejected: list[tuple[int, str, str]] = []
    for number, text in lines:
        code = canonical(text)
        if not SHORTEST <= len(code) <= LONGEST or not code.isalnum():
            rejected.append((number, text, f"a code has {SHORTEST} to {LONGEST} letters and digits"))
        elif code in numbers:
            rejected.append((number, text, "the same code stands earlier in the file"))
        else:
            numbers[code] = number
            if text != code:
                spelled[code] = text
    told = 0
    for part in chunks(sorted(numbers), CHUNK) if numbers else [()]:
        there = _store_chunk(database, batch_id, offer, part, spelled, len(rejected) - told, now)
        rejected += [(numbers[code], spelled.get(code, code), "there is such a code already") for code in sorted(there)]
        told = len(rejected)
        yield len(part) - len(there)
    for entry in sorted(rejected):
        reject(*entry)


def _store_chunk(database: Database, batch_id: int, offer: _Terms, codes: Sequence[str], spelled: Mapping[str, str],
                 rejected: int, now: datetime) -> set[str]:
    """Store these codes, and how many lines were rejected, in one transaction; returns those that were there."""
    with database.writing() as session:
        connection = session.connection()
        # One filling at a time: two files with the same code would else meet in the index.
        connection.execute(select(Batch.id).where(Batch.offer_id == offer.id).order_by(Batch.id).with_for_update())
        there = set(connection.scalars(select(Code.code).where(in_texts(Code.code, codes))))
        fresh = [code for code in codes if code not in there]
        if fresh:
            written = [_as_it_stands(code, spelled[code]) if code in spelled else None for code in fresh]
            _insert_stock(connection, batch_id, offer, fresh, written, now)
            _hand_out(session, offer.id, now)
        connection.execute(update(Batch).where(Batch.id == batch_id).values(
            codes=Batch.codes + len(fresh), rejected=Batch.rejected + rejected + len(there)))
    return there


def _hand_out(session: Session, offer_id: int, now: datetime) -> None:
    """An offer whose codes were made when needed hands out of its pool from the first code on that lies there."""
    offer = session.get_one(Offer, offer_id)
    if offer.code_source == "generated":
        offer.code_source = "pool"
        offer.updated_at = max(now, offer.updated_at + MICROSECOND)


def _as_it_stands(code: str, text: str) -> str | None:
    """How a shop wrote a code that we read in another way (CANDLE-7 as CAND1E7): people are told it so."""
    spelling = " ".join(text.split())
    return spelling if spelling != code and len(spelling) <= LONGEST and spelling.isprintable() else None


def _insert_stock(connection: Connection, batch_id: int, offer: _Terms, codes: list[str], written: list[str | None],
                  now: datetime) -> None:
    count, at = len(codes), to_us(now)
    spelled = {"written": written} if any(written) else {}
    bulk_insert(connection, _CODES, {
        "id": reserve_ids(connection, _CODES, count), "code": codes, "offer_id": [offer.id] * count,
        "origin": [f"batch:{batch_id}"] * count, "state": ["stock"] * count, "use_limit": [offer.uses] * count,
        "used": [0] * count, "reserved": [0] * count, "batch_id": [batch_id] * count, "issued_at": [at] * count,
        "valid_from": [at] * count, **spelled})


def _ignore(_number: int, _text: str, _why: str) -> None:
    """A code drawn twice is drawn anew."""
