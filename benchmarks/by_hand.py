"""What do the same writes cost as set SQL by hand, and the same decisions as a loop over objects?

Owns the two baselines of benchmarks/journeys.py. The set SQL decides nothing: who gets which arm and code is handed to
it in a table, as our runner decided it before, and it writes the very rows that the runner wrote, in turn with it chunk
by chunk, with the same commits, into a copy of the same prepared database; `differing` holds what both wrote side by
side. The loop asks per person what the runner asks per chunk, as objects, and commits per person.
"""

import secrets
import time
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from benchmarks.crowd import NOW
from core.codes import new_codes
from core.database import Database
from core.types import to_us
from coupons.models import Code, Offer, Redemption
from customers.models import Address, Consent, Contact, Customer, OrderLine, Suppression
from customers.suppression import address_hash
from delivery.models import Message
from journeys.models import Enrolment, Journey, Visit, VisitSum

_BATCH = ("SELECT e.id, e.customer_id, e.version_id, h.arm, h.code FROM enrolments e JOIN handed h ON h.id = e.id"
          " WHERE e.state = 'active' AND e.due_at <= :now ORDER BY e.due_at, e.journey_id, e.step, e.id LIMIT :chunk")
_WRITES = (
    "INSERT INTO codes (code, offer_id, customer_id, origin, campaign, state, use_limit, used, issued_at, valid_from,"
    " valid_until) SELECT code, 1, customer_id, 'enrolment:' || id, 'bench', 'issued', 1, 0, :now, :now, :until"
    " FROM batch ORDER BY code",
    "INSERT INTO messages (public_id, occasion, customer_id, origin, enrolment_ref, campaign, arm, step, message_class,"
    " channel, revision_id, code, \"values\", state, attempt, cost_cents, queued_at, due_at)"
    " SELECT {public_id}, id || '.mail.2.0', customer_id, 'enrolment:' || id, id, 'bench', arm, 'mail', 'marketing',"
    " 'email', 1, code, {known}, 'queued', 0, 0, :now, :now FROM batch",
    "INSERT INTO visits (enrolment_id, number, step, entered_at, left_at, outcome)"
    " SELECT id, 1, 'split', :now, :now, arm FROM batch",
    "INSERT INTO visits (enrolment_id, number, step, entered_at, left_at, outcome, detail)"
    " SELECT id, 2, 'mail', :now, :now, 'queued', 'the cheapest allowed channel' FROM batch",
    "INSERT INTO visit_sums (version_id, step, outcome, people) SELECT version_id, 'split', arm, count(*)"
    " FROM batch GROUP BY version_id, arm",
    "INSERT INTO visit_sums (version_id, step, outcome, people) SELECT version_id, 'mail', 'queued', count(*)"
    " FROM batch GROUP BY version_id",
    "UPDATE enrolments AS e SET step = 'pause', visit = 3, due_at = NULL, step_entered_at = :now, channel = 'email',"
    " arm = b.arm FROM batch b WHERE e.id = b.id",
)
# What is new in codes and messages is noted in one row each, as ours does it.
_AHEAD = tuple(
    f"INSERT INTO {noted} (tbl, {first}, last) SELECT '{table}', (SELECT coalesce(max(id), 0) FROM {table}) + 1,"
    f" (SELECT coalesce(max(id), 0) FROM {table}) + (SELECT count(*) FROM batch)"
    for table in ("codes", "messages") for noted, first in (("changes", "key"), ("noted_ahead", "first")))
_SQLITE = ("CREATE TEMP TABLE batch AS {batch}", *_AHEAD, *_WRITES, "DELETE FROM noted_ahead", "DROP TABLE batch")
_POSTGRESQL = (
    "SET LOCAL random_page_cost = 1.1",  # else it reads all enrolments per chunk
    "CREATE TEMP TABLE batch ON COMMIT DROP AS {batch} FOR UPDATE OF e SKIP LOCKED",
    "ANALYZE batch",  # else it guesses its size, and may join it in ways that take seconds
    *_WRITES,
)
_COMPARED = {
    "codes": "SELECT code, offer_id, customer_id, origin, campaign, state, use_limit, used, reserved, issued_at,"
             " valid_from, valid_until, redeemed_at, revoked_at, batch_id, written, region FROM codes"
             " WHERE customer_id % :every = 0 ORDER BY customer_id",
    "messages": "SELECT occasion, customer_id, origin, enrolment_ref, campaign, arm, step, message_class, channel,"
                " revision_id, code, CAST(\"values\" AS TEXT), state, reason, attempt, cost_cents, queued_at, due_at,"
                " expires_at, quiet, settled_at, length(public_id) FROM messages WHERE enrolment_ref % :every = 0"
                " ORDER BY enrolment_ref",
    "visits": "SELECT enrolment_id, number, step, entered_at, left_at, outcome, detail FROM visits"
              " WHERE enrolment_id % :every = 0 ORDER BY enrolment_id, number",
    "enrolments": "SELECT id, customer_id, version_id, state, step, visit, due_at, step_entered_at, until_at, arm,"
                  " channel, left_at, left_reason, held_out, error FROM enrolments WHERE id % :every = 0 ORDER BY id",
    "visit_sums": "SELECT version_id, step, outcome, sum(people) FROM visit_sums GROUP BY version_id, step, outcome"
                  " ORDER BY version_id, step, outcome",
    "changes": "SELECT tbl, sum(coalesce(last, key) - key + 1) FROM changes GROUP BY tbl ORDER BY tbl",
}


class SetSql:
    """The same writes as statements over sets, chunk by chunk, after ours has written the chunk."""

    def __init__(self, database: Database, *, chunk: int) -> None:
        self.database, self.seconds = database, 0.0
        second = f"'{to_us(NOW) // 1_000_000:08x}' || "
        known, drawn = (":known", f"{second}lower(hex(randomblob(12)))") if database.is_sqlite else (
            "CAST(:known AS jsonb)", f"{second}substr(replace(CAST(gen_random_uuid() AS text), '-', ''), 9)")
        self._statements = [text(each.format(batch=_BATCH, known=known, public_id=drawn))
                            for each in (_SQLITE if database.is_sqlite else _POSTGRESQL)]
        self._bound: dict[str, Any] = {
            "now": to_us(NOW), "until": to_us(NOW + timedelta(days=14)), "chunk": chunk, "known": None}
        with database.writing() as session:
            session.execute(text("CREATE TABLE handed (id INTEGER PRIMARY KEY, arm TEXT, code TEXT)"))

    def write(self) -> None:
        """Claim, write and commit one chunk."""
        begun = time.perf_counter()
        with self.database.writing() as session:
            for statement in self._statements:
                session.execute(statement, {name: self._bound[name] for name in statement.compile().params})
        self.seconds += time.perf_counter() - begun

    def hand_over(self, ours: Database) -> None:
        """Take over the arms and codes of the chunk that ours has just written; not part of what is measured."""
        with self.database.reading() as session:
            last = session.scalar(text("SELECT coalesce(max(id), 0) FROM handed"))
        with ours.reading() as session:
            rows = session.execute(text("SELECT enrolment_ref, arm, code FROM messages WHERE enrolment_ref > :last"),
                                   {"last": last}).all()
            self._bound["known"] = session.scalar(text("SELECT CAST(\"values\" AS TEXT) FROM messages LIMIT 1"))
        with self.database.writing() as session:
            raw: Any = session.connection().connection.dbapi_connection
            if self.database.is_sqlite:
                raw.executemany("INSERT INTO handed VALUES (?, ?, ?)", rows)
                return
            with raw.cursor() as cursor, cursor.copy("COPY handed FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)


def differing(ours: Database, theirs: Database, *, every: int) -> list[str]:
    """The tables in which the two did not write the same, of one person in `every`; ids and public ids aside."""
    found = []
    for name, statement in _COMPARED.items():
        rows = []
        for database in (ours, theirs):
            with database.reading() as session:
                asked = text(statement)
                rows.append(session.execute(asked, {"every": every} if asked.compile().params else {}).all())
        if rows[0] != rows[1] or not rows[0]:
            found.append(name)
    return found


def orm_loop(database: Database, *, people: int, secret_key: str) -> float:
    """Seconds to walk so many people one by one, as objects: what a loop over them asks, decides, writes, commits.

    It asks and writes per person what the runner asks and writes per chunk: the journey, held so that a pause waits,
    and the sums that the drawing shows, too.
    """
    with database.reading() as session:
        ids = list(session.scalars(select(Enrolment.id).where(Enrolment.state == "active", Enrolment.step == "split")
                                   .order_by(Enrolment.id).limit(people)))
    if len(ids) < people:
        raise RuntimeError(f"{len(ids)} people are due, not {people}")
    drawn = iter(new_codes(people))
    begun = time.perf_counter()
    for enrolment_id in ids:
        with database.writing() as session:
            person = session.get_one(Enrolment, enrolment_id, with_for_update={"skip_locked": True})
            customer = session.get_one(Customer, person.customer_id)
            journey = session.get_one(Journey, person.journey_id, with_for_update={"read": True})
            if journey.state == "running" and not _leaves(session, person):
                person.arm, person.step, person.visit = "AB"[person.id % 2], "mail", 2
                session.add(Visit(enrolment_id=person.id, number=1, step="split", entered_at=NOW, left_at=NOW,
                                  outcome=person.arm))
                session.add(VisitSum(version_id=person.version_id, step="split", outcome=person.arm, people=1))
                session.add(VisitSum(version_id=person.version_id, step="mail", outcome="queued", people=1))
                _write_to(session, person, _silent(session, customer, secret_key), next(drawn))
    return time.perf_counter() - begun


def _leaves(session: Session, person: Enrolment) -> bool:
    """Has redeemed the code, or ordered since entering."""
    redeemed = session.scalars(select(Redemption).where(
        Redemption.customer_id == person.customer_id, Redemption.state == "redeemed",
        Redemption.origin == f"enrolment:{person.id}")).first()
    return redeemed is not None or session.scalars(select(OrderLine).where(
        OrderLine.customer_id == person.customer_id, OrderLine.ordered_at >= person.entered_at,
        OrderLine.cancelled.is_(False))).first() is not None


def _silent(session: Session, customer: Customer, secret_key: str) -> str | None:
    """Why not by e-mail: erased, no consent, no address, blocked; None: we may. Then how they like to be spoken to."""
    consent = session.scalars(select(Consent).where(
        Consent.customer_id == customer.id, Consent.channel == "email", Consent.at <= NOW)
        .order_by(Consent.at.desc()).limit(1)).first()
    address = session.scalars(select(Address).where(
        Address.customer_id == customer.id, Address.channel == "email")).first()
    if customer.forgotten_at is not None or consent is None or consent.state != "granted":
        return "no consent"
    if address is None or not address.value or address.undeliverable_at is not None:
        return "no address"
    blocked = session.scalars(select(Suppression).where(
        Suppression.channel == "email",
        Suppression.address_hash == address_hash("email", address.lookup, secret_key=secret_key))).first()
    # Only one channel has a text here, so what was said before weighs nothing; it is asked none the less.
    session.scalars(select(Contact).where(Contact.customer_id == customer.id, Contact.direction == "in")).all()
    return None if blocked is None else "blocked"


def _write_to(session: Session, person: Enrolment, silent: str | None, drawn: str) -> None:
    origin, occasion = f"enrolment:{person.id}", f"{person.id}.mail.2.0"
    offer = session.get_one(Offer, 1)
    held = session.scalars(select(Code).where(Code.customer_id == person.customer_id, Code.origin == origin)).first()
    known = session.scalars(select(Message).where(
        Message.occasion == occasion, Message.customer_id == person.customer_id)).first()
    if held is None and silent is None:
        held = Code(code=drawn, offer_id=offer.id, customer_id=person.customer_id, origin=origin, campaign="bench",
                    state="issued", issued_at=NOW, valid_from=NOW,
                    valid_until=NOW + timedelta(days=offer.valid_days or 0))
        session.add(held)
    if known is None:
        session.add(Message(
            public_id=secrets.token_hex(16), occasion=occasion, customer_id=person.customer_id, step="mail",
            arm=person.arm, origin=origin, campaign="bench", enrolment_ref=person.id,
            channel="email" if silent is None else None, revision_id=1, code=held.code if held else None,
            values={"campaign": {"name": "Bench"}, "offer": {"name": offer.name, "text": "10 % off"},
                    "code_valid_until": "2026-03-15"},
            state="queued" if silent is None else "suppressed", reason=silent, queued_at=NOW, due_at=NOW))
    session.add(Visit(enrolment_id=person.id, number=2, step="mail", entered_at=NOW, left_at=NOW, outcome="queued",
                      detail=silent or "the cheapest allowed channel"))
    person.step, person.visit, person.due_at, person.step_entered_at, person.channel = "pause", 3, None, NOW, "email"
