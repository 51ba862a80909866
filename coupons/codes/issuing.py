"""Who gets which code, and from when until when is it good?

Owns issuing, withdrawing and starting the validity of codes. The promise: issued once per offer, customer and origin,
however often it is asked for and by however many workers; a code's window is fixed on the code, the earlier of the
offer's end and its days counted from the code's own start. All verbs take whole batches.
"""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, cast

from sqlalchemy import BigInteger, Connection, Row, String, Table, select, type_coerce, update
from sqlalchemy import cast as sql_cast

from core.arrays import in_ids
from core.bulk import bulk_update, chunks, insert_absent, reserve_ids
from core.codes import new_codes, pattern_codes
from core.cursors import noted_at_once
from core.errors import Conflict, NotFound
from core.types import from_us, to_us
from coupons.models import Batch, Code, Offer
from coupons.states import move

DAY_US = 86_400_000_000
_ATTEMPTS = 4
_CODES = cast(Table, Code.__table__)
# Instants of whole batches travel as plain microseconds: a datetime per row would cost more than the insert.
_FROM_US = type_coerce(Code.valid_from, BigInteger)
_UNTIL_US = type_coerce(Code.valid_until, BigInteger)

Pair = tuple[int, str]


class Issued(NamedTuple):
    """One issued code and its window; `valid_until` is exclusive, None: no end."""

    code_id: int
    code: str
    valid_from: datetime
    valid_until: datetime | None


def issue(
    connection: Connection,
    offer_id: int,
    *,
    customer_ids: Sequence[int],
    origins: Sequence[str],
    campaign: str | None,
    counts_from: Sequence[datetime],
    now: datetime,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> list[Issued]:
    """Give each customer one code of the offer for their origin; whoever has it already gets the same again.

    Columns in, one `Issued` per row in the same order. `counts_from` is the instant from which the offer's days count,
    usually the expected arrival; the code itself works from now on, so that an early letter is no nuisance. Raises
    NotFound for an unknown offer, Conflict for one that is switched off or whose pool is empty.
    """
    given = issue_what_there_is(
        connection, offer_id, customer_ids=customer_ids, origins=origins, campaign=campaign, counts_from=counts_from,
        now=now, random_bytes=random_bytes)
    found = [one for one in given if one is not None]
    if len(found) < len(given):
        raise Conflict(f"The pool has no code left for {len(given) - len(found)} of {len(given)} people. Fill it, or "
                       "let codes be generated.")
    return found


def issue_what_there_is(
    connection: Connection,
    offer_id: int,
    *,
    customer_ids: Sequence[int],
    origins: Sequence[str],
    campaign: str | None,
    counts_from: Sequence[datetime],
    now: datetime,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> list[Issued | None]:
    """The same, but None for those whom an empty pool leaves without: they wait, or are told nothing."""
    if not len(customer_ids) == len(origins) == len(counts_from):
        raise ValueError("customer_ids, origins and counts_from must be equally long")
    offer = connection.execute(select(
        Offer.key, Offer.active, Offer.prefix, Offer.pattern, Offer.code_source, Offer.limit_per_code,
        Offer.valid_days, Offer.valid_from, Offer.valid_until).where(Offer.id == offer_id)
        # Nobody deletes it until our codes are there to be seen: PostgreSQL looks up no offer for each of them.
        .with_for_update(read=True, key_share=True)).one_or_none()
    if offer is None:
        raise NotFound(f"There is no offer {offer_id}.")
    pairs: list[Pair] = list(zip(map(int, customer_ids), origins, strict=True))
    stamps = {start: to_us(start) for start in set(counts_from)}  # most of a batch start together
    starts = {pair: stamps[start] for pair, start in zip(pairs, counts_from, strict=True)}
    # Whoever holds one is found by the insert itself. To look before it pays where many do; then mostly the first does.
    looks = not offer.active or offer.code_source != "generated" or bool(
        pairs and _held(connection, offer_id, {pairs[0]: 0}))
    for _attempt in range(_ATTEMPTS):
        held = _held(connection, offer_id, starts) if looks else {}
        looks = True
        missing = [pair for pair in starts if pair not in held] if held else list(starts)
        if missing and not offer.active:
            raise Conflict(f"The offer {offer.key} is switched off and issues no more codes.")
        if missing and offer.code_source != "generated":
            held |= _from_pool(connection, offer_id, offer, sorted(missing), starts, campaign, now)
            missing = [] if offer.code_source == "pool" else [pair for pair in starts if pair not in held]
        made = _insert(connection, offer_id, offer, missing, starts, campaign, now, random_bytes)
        if made is not None:
            if not held and len(made) == len(pairs):
                return [*made]  # nobody had one and nobody was named twice: they are in order
            held.update(zip(missing, made, strict=True))
            return [held.get(pair) for pair in pairs]
    raise RuntimeError("no free codes were found in several draws: the source of random bytes is broken")


def _from_pool(connection: Connection, offer_id: int, offer: Row[*tuple[Any, ...]], pairs: list[Pair],
               starts: dict[Pair, int], campaign: str | None, now: datetime) -> dict[Pair, Issued]:
    """Hand out what lies in stock, oldest first; two workers never hand out the same code."""
    free = connection.execute(
        select(Code.id, Code.code).where(Code.offer_id == offer_id, Code.state == "stock").order_by(Code.id)
        .limit(len(pairs)).with_for_update(skip_locked=True)).all()
    pairs = pairs[:len(free)]
    windows = {start: _window(to_us(now), start, offer) for start in {starts[pair] for pair in pairs}}
    held = [windows[starts[pair]] for pair in pairs]
    count = len(pairs)
    if count:
        bulk_update(connection, _CODES, "id", {
            "id": [row.id for row in free], "customer_id": [customer for customer, _ in pairs],
            "origin": [origin for _, origin in pairs], "campaign": [campaign] * count, "state": ["issued"] * count,
            "issued_at": [to_us(now)] * count, "valid_from": [start for start, _ in held],
            "valid_until": [end for _, end in held]})
    return {
        pair: Issued(row.id, row.code, from_us(start), None if end is None else from_us(end))
        for pair, row, (start, end) in zip(pairs, free, held, strict=True)}


def _held(connection: Connection, offer_id: int, wanted: dict[Pair, int]) -> dict[Pair, Issued]:
    """The codes that these pairs of customer and origin hold already."""
    rows = connection.execute(
        select(Code.customer_id, Code.origin, Code.id, Code.code, _FROM_US, _UNTIL_US)
        .where(Code.offer_id == offer_id, in_ids(Code.customer_id, sorted({customer for customer, _ in wanted}))))
    return {
        (customer, origin): Issued(code_id, code, from_us(start), None if end is None else from_us(end))
        for customer, origin, code_id, code, start, end in rows
        if customer is not None and (customer, origin) in wanted
    }


def _insert(connection: Connection, offer_id: int, offer: Row[*tuple[Any, ...]], pairs: list[Pair],
            starts: dict[Pair, int], campaign: str | None, now: datetime,
            random_bytes: Callable[[int], bytes]) -> list[Issued] | None:
    """Store a fresh code per pair; None when some were left out (held, or the code taken): then look again."""
    count = len(pairs)
    if count == 0:
        return []
    codes = pattern_codes(count, offer.pattern, random_bytes=random_bytes) if offer.pattern else new_codes(
        count, prefix=offer.prefix, random_bytes=random_bytes)
    # On SQLite rising codes go into their index much faster; elsewhere the order of people keeps two workers who issue
    # for the same ones from waiting for each other for ever.
    order = sorted(range(count), key=codes.__getitem__ if connection.dialect.name == "sqlite" else pairs.__getitem__)
    ids = reserve_ids(connection, _CODES, count)
    windows = {start: _window(to_us(now), start, offer) for start in set(starts.values())}
    held = [next(iter(windows.values()))] * count if len(windows) == 1 else [
        windows[starts[pairs[place]]] for place in order]
    columns: dict[str, list[Any]] = {
        "id": ids,
        "code": [codes[place] for place in order],
        "offer_id": [offer_id] * count,
        "customer_id": [pairs[place][0] for place in order],
        "origin": [pairs[place][1] for place in order],
        "campaign": [campaign] * count,
        "state": ["issued"] * count,
        "use_limit": [offer.limit_per_code] * count,
        "used": [0] * count,
        "issued_at": [to_us(now)] * count,
        "valid_from": [start for start, _ in held],
        "valid_until": [end for _, end in held],
    }
    with noted_at_once(connection, "codes", ids):
        inserted = insert_absent(connection, _CODES, columns)
    if inserted < count:
        return None
    shown = {window: tuple(None if at is None else from_us(at) for at in window) for window in set(held)}
    made: list[Any] = [None] * count
    for place, code_id, code, window in zip(order, ids, columns["code"], held, strict=True):
        made[place] = _as_issued((code_id, code, *shown[window]))
    return made


_as_issued: Callable[[tuple[Any, ...]], Issued] = partial(tuple.__new__, Issued)
"""A row of the four as `Issued`: half as long as calling it, a million times."""


def _window(now_us: int, counts_from: int, offer: Row[*tuple[Any, ...]]) -> tuple[int, int | None]:
    """From when until when, in microseconds: it works from now on, its days count from later, the offer caps both."""
    begins = max(now_us, to_us(offer.valid_from)) if offer.valid_from is not None else now_us
    ends = [to_us(offer.valid_until)] if offer.valid_until is not None else []
    if offer.valid_days is not None:
        ends.append(max(begins, counts_from) + offer.valid_days * DAY_US)
    return begins, min(ends) if ends else None


def takes_from_files(connection: Connection, offer_id: int) -> bool:
    """Whether codes of this offer came in a file, so that they may be written in another way than we read them."""
    return connection.execute(
        select(Batch.id).where(Batch.offer_id == offer_id, Batch.kind == "imported").limit(1)).first() is not None


def spellings(connection: Connection, code_ids: Sequence[int]) -> dict[int, str]:
    """Id -> the code as its file wrote it, for those of these codes that we read in another way."""
    found: dict[int, str] = {}
    for part in chunks(list(code_ids), 10_000):
        found |= {row.id: row.written for row in connection.execute(
            select(Code.id, Code.written).where(in_ids(Code.id, part), Code.written.is_not(None))) if row.written}
    return found


def revoke(connection: Connection, code_ids: Sequence[int], *, reason: str, now: datetime) -> int:
    """Withdraw codes that are issued and unused; used ones are left alone. Returns how many were withdrawn."""
    return sum(move(connection, part, "revoked", reason=reason, now=now) for part in chunks(list(code_ids), 10_000))


def take_back_unsent(connection: Connection, code_ids: Sequence[int], *, reason: str, now: datetime) -> int:
    """Take back unused codes that nobody got to see: those of a pool return to it, others are withdrawn.

    Returns how many were taken back.
    """
    done = 0
    for part in chunks(list(code_ids), 10_000):
        done += connection.execute(
            update(Code)
            .where(in_ids(Code.id, part), Code.state == "issued", Code.used == 0, Code.reserved == 0,
                   Code.batch_id.is_not(None))
            .values(state="stock", customer_id=None, campaign=None, valid_until=None,
                    origin="batch:" + sql_cast(Code.batch_id, String))).rowcount
        done += move(connection, part, "revoked", reason=reason, now=now)
    return done


def revoke_origins(connection: Connection, origins: Sequence[str], *, reason: str, now: datetime) -> int:
    """Withdraw the unused codes that were issued for these origins; returns how many."""
    moved = 0
    for part in chunks(list(origins), 500):
        ids = connection.scalars(select(Code.id).where(Code.origin.in_(part)).order_by(Code.id)).all()
        moved += revoke(connection, ids, reason=reason, now=now)
    return moved


def start_validity(
    connection: Connection, code_ids: Sequence[int], *, counts_from: Sequence[datetime], now: datetime
) -> int:
    """Set the end of unused codes anew, because the arrival their days count from became known; returns how many.

    Codes used or withdrawn meanwhile keep theirs. The rows are locked in id order first.
    """
    if not len(code_ids) == len(counts_from):
        raise ValueError("code_ids and counts_from must be equally long")
    starts = {int(code_id): to_us(start) for code_id, start in zip(code_ids, counts_from, strict=True)}
    rows = connection.execute(
        select(Code.id, _FROM_US.label("begins_us"), Offer.valid_days, Offer.valid_from, Offer.valid_until)
        .join(Offer, Offer.id == Code.offer_id)
        .where(in_ids(Code.id, sorted(starts)), Code.state == "issued", Code.used == 0)
        .order_by(Code.id)
        .with_for_update(of=Code)
    ).all()
    if not rows:
        return 0
    ends = [_window(row.begins_us, starts[row.id], row)[1] for row in rows]
    return bulk_update(connection, _CODES, "id", {"id": [row.id for row in rows], "valid_until": ends})
