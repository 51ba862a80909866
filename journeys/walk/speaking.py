"""What does a send step say to each person, on which channel, with which code, or why does it stay silent?

Owns the send step for a batch: channel, code and ledger rows in the caller's transaction. The promise: whoever comes to
a send step gets exactly one ledger row per visit, spoken or silent with its reason; who cannot be reached gets no code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, select, type_coerce
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.types import to_us
from coupons.codes.issuing import Issued, issue_what_there_is, spellings, takes_from_files
from coupons.codes.showing import names_for
from coupons.models import Code, Offer
from coupons.offers.conditions import offer_terms
from coupons.offers.wording import offer_words
from delivery.arrival import expected_arrival
from delivery.content import compiled_from
from delivery.models import Content, ContentRevision
from delivery.outbox import MessageColumns, queue
from journeys.exits.exits import enrolment_of, origin_of
from journeys.graphs.graph import Call, Give, Send
from journeys.graphs.plans import Plan
from journeys.walk.choosing import choices
from journeys.walk.due import NEVER

SKIPPED = "left out after a pause"
HELD_OUT = "left alone for comparison"
CODE_ENDED = "the code has ended"
CODE_USED = "the code is used up"
OFFER_OFF = "the offer is switched off"
POOL_EMPTY = "the pool has no code left"
GIVEN = ":given"
"""Ends the origin of a code that a person holds without a message; it is never taken back with one."""
_LONGEST_DETAIL = 300


@dataclass(frozen=True)
class _ContentFacts:
    channels: tuple[str, ...]
    message_class: str
    language: str
    prints_terms: bool


@dataclass
class Shelf:
    """What send steps look up, read once per tick: contents and offers by id, and the words for them."""

    contents: dict[int, _ContentFacts] = field(default_factory=dict)
    offers: dict[int, Offer] = field(default_factory=dict)
    words: dict[tuple[int, str, bool], dict[str, str]] = field(default_factory=dict)
    from_files: dict[int, bool] = field(default_factory=dict)

    def content(self, session: Session, revision_id: int) -> _ContentFacts:
        """Channels, class and language of a content revision."""
        if revision_id not in self.contents:
            compiled, message_class = session.execute(
                select(ContentRevision.compiled, Content.message_class)
                .join(Content, Content.id == ContentRevision.content_id).where(ContentRevision.id == revision_id)
            ).one()
            value = compiled_from(compiled)
            self.contents[revision_id] = _ContentFacts(
                tuple(value.channels), message_class, value.language, "offer.terms" in value.variables)
        return self.contents[revision_id]

    def offer(self, session: Session, offer_id: int) -> Offer:
        """The offer, as it was when the tick first needed it."""
        if offer_id not in self.offers:
            found = session.get_one(Offer, offer_id)
            session.expunge(found)
            self.offers[offer_id] = found
        return self.offers[offer_id]

    def spellings(self, session: Session, offer_id: int, codes: Sequence[Issued | None]) -> dict[int, str]:
        """Id -> how the shop that made the code writes it, where it came in a file and is written in another way."""
        connection = session.connection()
        if offer_id not in self.from_files:
            self.from_files[offer_id] = takes_from_files(connection, offer_id)
        return spellings(connection, [code.code_id for code in codes if code]) if self.from_files[offer_id] else {}

    def offer_values(self, session: Session, offer_id: int, language: str, *, with_terms: bool) -> dict[str, str]:
        """Name and words of an offer, as contents show them; its conditions only for contents that print them."""
        key = (offer_id, "de" if language[:2].lower() == "de" else "en", with_terms)
        if key not in self.words:
            offer = self.offer(session, offer_id)
            names = names_for(session, offer)
            self.words[key] = {"name": offer.name, "text": offer_words(offer, key[1], names=names)}
            if with_terms:
                self.words[key]["terms"] = " ".join(offer_terms(offer, key[1], names=names))
        return self.words[key]


@dataclass(frozen=True)
class Listeners:
    """People at one send step of one version; equally long columns. `returning`: had a message here before."""

    enrolment_ids: Sequence[int]
    customer_ids: Sequence[int]
    visits: Sequence[int]
    arms: Sequence[str | None]
    languages: Sequence[str | None]
    returning: Sequence[bool]

    def only(self, places: Sequence[int]) -> "Listeners":
        """The people at these places."""
        if len(places) == len(self.enrolment_ids):
            return self
        return Listeners(
            [self.enrolment_ids[place] for place in places], [self.customer_ids[place] for place in places],
            [self.visits[place] for place in places], [self.arms[place] for place in places],
            [self.languages[place] for place in places], [self.returning[place] for place in places])


@dataclass(frozen=True)
class Spoken:
    """Per person the channel (None: silent) and the reason for the channel or the silence.

    `waiting` are the places of those for whom the pool has no code yet: nothing was decided and no row written.
    """

    channels: list[str | None]
    details: list[str]
    waiting: frozenset[int] = frozenset()


def withhold(session: Session, plan: Plan, step: Send | Call, people: Listeners, *, now: datetime) -> None:
    """One withheld ledger row for each of these people of the hold-out; no code."""
    count = len(people.enrolment_ids)
    queue(session.connection(), _columns(plan, step, people, [0] * count, now=now, message_class="marketing",
                                         state=["withheld"] * count, reason=[HELD_OUT] * count))


def speak(
    session: Session, plan: Plan, step: Send | Call, people: Listeners, *, now: datetime, secret_key: str, shelf: Shelf
) -> Spoken:
    """Choose channels, issue codes and put one ledger row per person in the outbox."""
    facts = shelf.content(session, plan.contents[step.content])
    found = choices(session, plan, step, people.enrolment_ids, people.customer_ids, channels=facts.channels,
                    message_class=facts.message_class, now=now, secret_key=secret_key)
    return put(session, plan, step, people, [choice.channel for choice in found], [choice.why for choice in found],
               [0] * len(found), now=now, shelf=shelf, may_wait=True)


def keep_silent(
    session: Session, plan: Plan, step: Send | Call, people: Listeners, *, now: datetime, shelf: Shelf
) -> Spoken:
    """One suppressed ledger row for each of these people; no code."""
    count = len(people.enrolment_ids)
    _write(session, plan, step, people, [None] * count, [SKIPPED] * count, [0] * count, [None] * count, now=now,
           shelf=shelf)
    return Spoken([None] * count, [SKIPPED] * count)


def put(
    session: Session, plan: Plan, step: Send | Call, people: Listeners, channels: list[str | None], details: list[str],
    fallbacks: list[int], *, now: datetime, shelf: Shelf, may_wait: bool = False,
) -> Spoken:
    """Issue codes for those with a channel and write the ledger rows.

    Whom an empty pool leaves without a code waits, if they may; else they are told nothing.
    """
    count = len(channels)
    codes: list[Issued | None] = [None] * count
    waiting: frozenset[int] = frozenset()
    if step.offer is not None:
        speaking = [place for place in range(count) if channels[place] is not None]
        codes, silent = _codes(session, plan, step, people, speaking, channels, now=now, shelf=shelf)
        waiting = frozenset(place for place, reason in silent.items() if reason == POOL_EMPTY) if may_wait else waiting
        for place, reason in silent.items():
            channels[place], details[place] = None, reason
    told = [place for place in range(count) if place not in waiting]
    _write(session, plan, step, people.only(told), [channels[place] for place in told],
           [details[place] for place in told], [fallbacks[place] for place in told], [codes[place] for place in told],
           now=now, shelf=shelf)
    return Spoken(channels, [detail[:_LONGEST_DETAIL] for detail in details], waiting)


@dataclass(frozen=True)
class Given:
    """Per person why there is no code (None: there is one); `waiting` are those for whom the pool has none yet."""

    why: list[str | None]
    waiting: frozenset[int]


def give(session: Session, plan: Plan, step: Give, people: Listeners, *, now: datetime, shelf: Shelf) -> Given:
    """Issue codes without a message; they count from now."""
    count = len(people.enrolment_ids)
    _issued, silent = _codes(session, plan, step, people, list(range(count)), [None] * count, now=now, shelf=shelf)
    waiting = frozenset(place for place, reason in silent.items() if reason == POOL_EMPTY)
    return Given([silent.get(place) for place in range(count)], waiting)


def _write(
    session: Session, plan: Plan, step: Send | Call, people: Listeners, channels: list[str | None], details: list[str],
    fallbacks: list[int], codes: list[Issued | None], *, now: datetime, shelf: Shelf,
) -> None:
    facts = shelf.content(session, plan.contents[step.content])
    values = _values(session, plan, step, people, codes, facts, shelf)
    revision = plan.contents[step.content]
    queue(session.connection(), _columns(
        plan, step, people, fallbacks, now=now, message_class=facts.message_class,
        state=["suppressed" if channel is None else "queued" for channel in channels],
        reason=[detail[:200] if channel is None else None for channel, detail in zip(channels, details, strict=True)],
        channel=channels, quiet=None if plan.quiet is None else [plan.quiet] * len(channels),
        revision_id=[None if channel is None else revision for channel in channels],
        code=[None if code is None else code.code for code in codes],
        values=values,
    ))


def _columns(
    plan: Plan, step: Send | Call, people: Listeners, fallbacks: Sequence[int], *, now: datetime, message_class: str,
    **columns: Any,
) -> MessageColumns:
    ids, visits = people.enrolment_ids, people.visits
    count = len(ids)
    return MessageColumns(
        occasion=[f"{ids[place]}.{step.key}.{visits[place]}.{fallbacks[place]}" for place in range(count)],
        customer_id=people.customer_ids, origin=[origin_of(enrolment_id) for enrolment_id in ids], queued_at=now,
        enrolment_ref=ids, campaign=[plan.campaign] * count, arm=people.arms, step=[step.key] * count,
        # A fallback may be decided while the journey pauses: it is held like everything else.
        due_at=[NEVER] * count if plan.journey_state == "paused" else None,
        expires_at=[_expires_at(plan, step, now)] * count, message_class=message_class, **columns,
    )


def _expires_at(plan: Plan, step: Send | Call, now: datetime) -> datetime | None:
    if not isinstance(step, Call):
        return plan.ends_at
    last = now + timedelta(days=step.days)
    return last if plan.ends_at is None else min(last, plan.ends_at)


def _codes(
    session: Session, plan: Plan, step: Send | Give | Call, people: Listeners, places: list[int],
    channels: Sequence[str | None], *, now: datetime, shelf: Shelf,
) -> tuple[list[Issued | None], dict[int, str]]:
    """A code for each place, the one already held if it is still good; and why somebody gets none."""
    offer_id = plan.offers[step.offer or ""]
    own = GIVEN if isinstance(step, Give) else ""
    origins = {place: origin_of(people.enrolment_ids[place]) + own for place in places}
    silent: dict[int, str] = {}
    holding: set[int] = set()
    if step.new_code:
        origins = {place: f"{origin}:{people.visits[place]}" for place, origin in origins.items()}
    else:
        held = _held(session, offer_id, [people.customer_ids[place] for place in places if people.returning[place]])
        for place in places if held else ():
            origin, state, until_us = held.get(people.enrolment_ids[place], ("", "none", None))
            if state == "revoked":
                # The first message never went, so that code was withdrawn; this send brings a code of its own.
                origins[place] += f":{people.visits[place]}"
            elif state == "redeemed":
                silent[place] = CODE_USED
            elif state == "issued" and until_us is not None and until_us <= to_us(now):
                silent[place] = CODE_ENDED
            elif state == "issued":
                origins[place] = origin
                holding.add(place)
    if not shelf.offer(session, offer_id).active:
        silent |= {place: OFFER_OFF for place in places if place not in holding and place not in silent}
    chosen = [place for place in places if place not in silent]
    arrival = {channel: expected_arrival(channel, now) if channel else now
               for channel in {channels[place] for place in chosen}}
    issued = issue_what_there_is(
        session.connection(), offer_id, customer_ids=[people.customer_ids[place] for place in chosen],
        origins=[origins[place] for place in chosen], campaign=plan.campaign,
        counts_from=[arrival[channels[place]] for place in chosen], now=now,
    ) if chosen else []
    result: list[Issued | None] = [None] * len(people.enrolment_ids)
    for place, code in zip(chosen, issued, strict=True):
        result[place] = code
        if code is None:
            silent[place] = POOL_EMPTY
    return result, silent


def _held(session: Session, offer_id: int, customer_ids: list[int]) -> dict[int, tuple[str, str, int | None]]:
    """Origin, state and end of the newest code each enrolment holds of the offer, withdrawn ones last."""
    if not customer_ids:
        return {}
    rows = session.execute(
        select(Code.origin, Code.state, type_coerce(Code.valid_until, BigInteger))
        .where(Code.offer_id == offer_id, in_ids(Code.customer_id, customer_ids)).order_by(Code.id)
    )
    held: dict[int, tuple[str, str, int | None]] = {}
    for origin, state, until_us in rows:
        enrolment = enrolment_of(origin)
        if enrolment is not None and (state != "revoked" or enrolment not in held):
            held[enrolment] = (origin, state, until_us)
    return held


def _values(
    session: Session, plan: Plan, step: Send | Call, people: Listeners, codes: Sequence[Issued | None],
    facts: _ContentFacts, shelf: Shelf,
) -> list[Mapping[str, Any]]:
    """What the content may say of the offer and the code; equal values are one object."""
    offer_id = plan.offers[step.offer] if step.offer is not None else None
    zone = ZoneInfo(plan.timezone)
    known: dict[tuple[datetime | None, str], Mapping[str, Any]] = {}
    spelled = {} if offer_id is None else shelf.spellings(session, offer_id, codes)
    result: list[Mapping[str, Any]] = []
    for code, own in zip(codes, people.languages, strict=True):
        key = (None if code is None else code.valid_until, own or facts.language)
        if key not in known:
            values: dict[str, Any] = {"campaign": {"name": plan.campaign_name}}
            if offer_id is not None and code is not None:
                values["offer"] = shelf.offer_values(session, offer_id, key[1], with_terms=facts.prints_terms)
            if key[0] is not None:
                values["code_valid_until"] = _last_day(key[0], zone)
            known[key] = values
        spelling = None if code is None else spelled.get(code.code_id)
        result.append(known[key] if spelling is None else {**known[key], "code": spelling})
    return result


def _last_day(until: datetime, zone: ZoneInfo) -> str:
    """The last whole day before an exclusive end, where the campaign runs; a partial last day is not promised."""
    local = until.astimezone(zone)
    return (local - timedelta(days=1)).date().isoformat()


