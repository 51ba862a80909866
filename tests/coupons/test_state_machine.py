"""Whatever verbs follow each other, the till answers as a naive one that counts its lists anew each time.

Hypothesis draws the verbs: redeem, ask, reserve, release, lapse, take back by part or whole, cancel, withdraw, edit the
limits, let time pass. Every answer is compared with `naive.py`, and before each redemption the till is asked what it
would say. A few in each run, many in the proofs.
"""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from core.database import Database
from core.errors import Invalid
from coupons.checks.invariants import broken
from coupons.codes.issuing import issue
from coupons.codes.pools import add_public_codes
from coupons.codes.stopping import Target, stop
from coupons.models import Code, Offer
from coupons.offers.offers import save_offer
from coupons.till.at_once import redeem_for
from coupons.till.redeeming import cancel_order, roll_back, validate
from coupons.till.requests import Order, RedemptionRequest
from coupons.till.reserving import asking, deciding, free_lapsed, release, reserve
from customers.models import Customer
from tests.conftest import PROOFS
from tests.coupons.naive import NaiveCode, NaiveHold, NaiveOffer, NaiveTill, NaiveUse

START = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
UNTIL = START + timedelta(days=2)
_numbers = itertools.count(1)

TERMS: dict[str, dict[str, Any]] = {
    "tenth": {"kind": "percent", "percent": 10, "limit_per_code": 2},
    "fifteen": {"kind": "fixed", "amount_cents": 1_500, "minimum_cents": 2_000, "limit_per_code": 1},
    "alone": {"kind": "percent", "percent": 25, "combines": "none", "limit_per_code": 2},
    "first": {"kind": "percent", "percent": 20, "first_order_only": True, "limit_per_code": 3},
}
LIMITS = (
    {"limit_per_customer": 2, "limit_total": 4, "limit_per_day": 3, "budget_cents": 2_000},
    {"limit_total": 3}, {"limit_per_customer": 1}, {"budget_cents": 1_500, "limit_per_day": 2}, {},
)
Whole = dict[str, int]
_codes, _orders = st.integers(0, 7), st.integers(0, 4)
_goods = st.sampled_from((900, 2_000, 2_505, 12_000))
_named = st.sampled_from((None, 0, 1))


class Till(RuleBasedStateMachine):
    """The real till and the naive one, told the same."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database, self.prefix = database, f"n{next(_numbers)}"
        self.naive, self.now = NaiveTill(now=START), START
        self.offers: list[tuple[str, NaiveOffer]] = []
        self.codes: list[tuple[str, NaiveCode]] = []
        self.uses: list[tuple[str, NaiveUse]] = []
        self.holds: list[tuple[str, NaiveHold]] = []
        self.keys = (f"{self.prefix}-{number}" for number in itertools.count())
        with database.writing() as session:
            people = [Customer(external_id=f"{self.prefix}c{number}", imported_at=START, attributes={})
                      for number in range(2)]
            session.add_all(people)
            session.flush()
            ids = [person.id for person in people]
        self.people = [f"{self.prefix}c{number}" for number in range(2)]
        for name, terms in TERMS.items():
            self._open(name, terms, ids)

    def _open(self, name: str, terms: dict[str, Any], ids: list[int]) -> None:
        """An offer with one personal and one public code."""
        key = f"{self.prefix}-{name}"
        offer = NaiveOffer(terms.get("percent"), terms.get("amount_cents"), terms.get("minimum_cents", 0),
                           terms.get("combines") != "none", terms.get("first_order_only", False))
        with self.database.writing() as session:
            stored = save_offer(session, key, name=name, valid_until=UNTIL, now=START, **terms)
            [personal] = issue(session.connection(), stored.id, customer_ids=[ids[len(self.offers) % 2]],
                               origins=[f"{key}:1"], campaign=None, counts_from=[START], now=START)
            [public] = add_public_codes(session, key, [(key, None)], name="", uses=terms["limit_per_code"], now=START)
        self.offers.append((key, offer))
        holder = self.people[(len(self.offers) - 1) % 2]
        self.codes.append((personal.code, NaiveCode(offer, holder, terms["limit_per_code"], UNTIL)))
        self.codes.append((public, NaiveCode(offer, None, terms["limit_per_code"], UNTIL)))

    def _asked(self, code: int, order: int, goods: int, named: int | None) -> tuple[RedemptionRequest, Any]:
        text, known = self.codes[code]
        reference = f"{self.prefix}-o{order}"
        who = None if named is None else self.people[named]
        return (RedemptionRequest(text, Order(reference, goods, "EUR"), "", who), (known, reference, goods, who))

    @rule(code=_codes, order=_orders, goods=_goods, named=_named)
    def redeem(self, code: int, order: int, goods: int, named: int | None) -> None:
        """Ask first, then redeem: both answers are the naive one's."""
        request, asked = self._asked(code, order, goods, named)
        foreseen = asking(self.database, lambda connection: validate(
            connection, request.code, request, now=self.now), now=self.now)
        assert (foreseen["valid"], foreseen["reason"], foreseen["discount_cents"]) == self.naive.foresee(*asked)
        key = next(self.keys)
        answer = redeem_for(self.database, request, client="machine", key=key, now=self.now)
        assert (answer.status, answer.reason, answer.body.get("discount_cents", 0)) == self.naive.redeem(*asked)
        if answer.status == 201:
            self.uses.append((answer.body["id"], self.naive.uses[-1]))

    @rule(code=_codes, order=_orders, goods=_goods, named=_named, seconds=st.sampled_from((60, 7_200)))
    def reserve(self, code: int, order: int, goods: int, named: int | None, seconds: int) -> None:
        """Hold a use for the order, or renew what it holds."""
        request, asked = self._asked(code, order, goods, named)
        answer = deciding(self.database, lambda connection: reserve(
            connection, request, ttl_seconds=seconds, now=self.now), now=self.now)
        told = self.naive.reserve(*asked, seconds)  # type: ignore[call-arg]
        assert (answer.status, answer.reason, answer.body.get("discount_cents", 0)) == told
        if answer.reason is None:
            self.holds.append((answer.body["id"], self.naive.holds[-1]))

    @precondition(lambda self: self.holds)
    @rule(which=st.integers(0, 99))
    def release(self, which: int) -> None:
        """Give up a hold, be it over or spent already."""
        name, _hold = self.holds[which % len(self.holds)]
        self.database.small(lambda connection: release(connection, name, now=self.now))
        for same, hold in self.holds:
            if same == name:
                hold.open = False

    @precondition(lambda self: self.uses)
    @rule(which=st.integers(0, 99), cents=st.sampled_from((None, 1, 90, 500)))
    def take_back(self, which: int, cents: int | None) -> None:
        """Take back by part or whole; more than is left is refused."""
        name, use = self.uses[which % len(self.uses)]
        key = next(self.keys)
        before = use.live
        fits = self.naive.take_back(use, cents)
        try:
            body = self.database.small(lambda connection: roll_back(
                connection, name, amount_cents=cents, key=key, now=self.now))
        except Invalid:
            assert before and not fits
            return
        assert fits
        assert (body["rolled_back_cents"], body["state"] == "redeemed") == (use.back_cents, use.live)

    @rule(order=_orders, sure=st.integers(0, 3))
    def cancel(self, order: int, sure: int) -> None:
        """The shop takes an order back; not too often, for nothing can be redeemed for it any more."""
        if sure:
            return
        reference = f"{self.prefix}-o{order}"
        assert self.database.small(lambda connection: cancel_order(
            connection, shop="", order_ref=reference, now=self.now)) == self.naive.cancel(reference)

    @rule(code=_codes, sure=st.integers(0, 3))
    def revoke(self, code: int, sure: int) -> None:
        """Withdraw a code that has uses left."""
        if not sure:
            text, known = self.codes[code]
            assert stop(self.database, Target("code", text), reason="leak", now=self.now) == self.naive.revoke(known)

    @rule(which=st.integers(0, 3), limits=st.sampled_from(LIMITS))
    def limit(self, which: int, limits: Whole) -> None:
        """Set or take away limits; none below what was used and is held."""
        key, offer = self.offers[which]
        free_lapsed(self.database, now=self.now)
        fits = self.naive.may_limit(offer, limits.get("limit_total"), limits.get("budget_cents"))
        terms: dict[str, Any] = {**TERMS[key.rpartition("-")[2]], **limits}
        try:
            with self.database.writing() as session:
                save_offer(session, key, name="edited", valid_until=UNTIL, now=self.now, **terms)
        except Invalid:
            assert not fits
            return
        assert fits
        offer.per_customer, offer.total = limits.get("limit_per_customer"), limits.get("limit_total")
        offer.per_day, offer.budget_cents = limits.get("limit_per_day"), limits.get("budget_cents")

    @rule(minutes=st.sampled_from((1, 10, 180, 1_500)))
    def wait(self, minutes: int) -> None:
        """Time passes: holds lapse, days begin, codes end."""
        self.now += timedelta(minutes=minutes)
        self.naive.now = self.now

    @rule()
    def lapse(self) -> None:
        """The duty frees what has lapsed."""
        free_lapsed(self.database, now=self.now)

    def teardown(self) -> None:
        """What is stored is what the lists say."""
        free_lapsed(self.database, now=self.now)
        with self.database.reading() as session:
            for text, code in self.codes:
                stored = session.scalars(select(Code).where(Code.code == text)).one()
                held = sum(hold.code is code for hold in self.naive.held())
                assert (stored.used, stored.reserved, stored.state == "revoked") == (
                    self.naive.used(code), held, code.revoked)
            for key, offer in self.offers:
                row = session.scalars(select(Offer).where(Offer.key == key)).one()
                if offer.total is not None or offer.budget_cents is not None:
                    counted = (row.used + row.reserved, row.spent_cents + row.reserved_cents)
                    assert counted == self.naive.counted(offer)


@pytest.mark.deeper
def test_the_till_answers_as_one_that_counts_its_lists_anew(database: Database) -> None:
    few = 8 if database.is_sqlite else 4
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: Till(database),
        settings=settings(max_examples=few * 20 if PROOFS else few, stateful_step_count=40 if PROOFS else 30))
    with database.reading() as session:
        assert broken(session.connection()) == []
