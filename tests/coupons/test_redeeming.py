"""A code for an order: what is decided, counted, kept under the key and taken back."""

import contextlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from core.database import Database
from core.errors import Conflict, Invalid, NotFound
from coupons.checks.invariants import drift
from coupons.codes.issuing import revoke
from coupons.models import Code, LimitUse, Offer, Redemption, Refusal
from coupons.offers.offers import save_offer
from coupons.till.at_once import redeem_for
from coupons.till.redeeming import cancel_order, roll_back, validate
from coupons.till.reported import ReportedUse, record_use
from coupons.till.reserving import deciding, reserve
from coupons.till.simulating import simulate
from tests.coupons.factories import LAMP, SOFA, ask, make_codes, make_customers, make_offer, use


def _drift(database: Database) -> list[str]:
    with database.reading() as session:
        return drift(session.connection())


def _refusals(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Refusal.reason).order_by(Refusal.id)))


def _redemptions(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Redemption)) or 0


def _roll_back(database: Database, public_id: str, now: datetime, amount: int | None = None,
               key: str | None = None) -> dict[str, Any]:
    return database.small(lambda connection: roll_back(connection, public_id, amount_cents=amount, key=key, now=now))


def test_a_redemption_answers_with_all_the_contract_names(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now), [1], now=now)
    answer = use(database, ask(code.code), now=now)
    assert answer.status == 201
    assert answer.body["id"].startswith("r_")
    assert {**answer.body, "id": None} == {
        "id": None, "code": code.code, "order_id": "o1", "shop": "", "discount_cents": 5800, "rolled_back_cents": 0,
        "currency": "EUR", "customer": "c1", "campaign": "spring", "redeemed_at": "2026-03-02T10:00:00Z",
        "state": "redeemed"}
    assert _drift(database) == []


def test_the_same_key_and_body_gets_the_stored_answer_and_201_becomes_200(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now), [1], now=now)
    first = use(database, ask(code.code), now=now, key="k")
    again = use(database, ask(code.code), now=now + timedelta(days=90), key="k")
    assert (first.status, again.status) == (201, 200)
    assert again.body == first.body
    assert _redemptions(database) == 1


def test_a_refusal_is_kept_under_its_key_with_its_status_even_when_it_would_succeed_now(
    database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    later = now + timedelta(days=2)
    [code] = make_codes(database, make_offer(database, now=now, valid_from=later), [1], now=now)
    early = use(database, ask(code.code), now=now, key="k")
    assert (early.status, early.reason) == (422, "not_yet_valid")
    again = use(database, ask(code.code), now=later, key="k")
    assert (again.status, again.body) == (early.status, early.body)
    assert use(database, ask(code.code), now=later).status == 201


def test_the_same_key_with_another_body_is_a_mismatch_and_changes_nothing(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    one, two = make_codes(database, make_offer(database, now=now), [1, 2], now=now)
    use(database, ask(one.code), now=now, key="k")
    other = use(database, ask(two.code), now=now, key="k")
    assert (other.status, other.reason) == (422, "idempotency_mismatch")
    assert use(database, ask(two.code), now=now, key="k", client="another shop").status == 201
    assert _redemptions(database) == 2


def test_the_same_shop_order_and_code_under_another_key_is_the_same_redemption(
    database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, limit_per_code=5), [1], now=now)
    first = use(database, ask(code.code), now=now)
    again = use(database, ask(code.code), now=now + timedelta(days=1))
    assert (again.status, again.body) == (200, first.body)
    assert use(database, ask(code.code, shop="other"), now=now).status == 201
    assert _redemptions(database) == 2
    assert _drift(database) == []


def test_a_code_of_another_shop_is_answered_as_an_unknown_one_is(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, shops=["s1", "s2"]), [1], now=now)

    def told(text: str, shop: str) -> list[Any]:
        request = ask(text, f"order at {shop}", shop=shop)
        redeemed = redeem_for(database, request, client="c", key=f"{text} {shop}", now=now)
        held = deciding(database, lambda connection: reserve(connection, request, ttl_seconds=60, now=now), now=now)
        with database.reading() as session:
            return [redeemed.status, redeemed.body, held.status, held.body,
                    validate(session.connection(), text, request, now=now)]

    assert told(code.code, "s3") == told("NOSUCHCODE", "s3") and told(code.code, "") == told("NOSUCHCODE", "s3")
    with database.reading() as session:
        rows = session.execute(select(Refusal.reason, Refusal.code_id, Refusal.campaign).distinct()).all()
        assert [tuple(row) for row in rows] == [("unknown_code", None, None)]
    elsewhere, here = (ReportedUse(shop, f"told by {shop}", code.code, 5_800, "EUR", 58_000, now)
                       for shop in ("s3", "s2"))
    assert database.small(lambda connection: record_use(connection, elsewhere, now=now)).flags == ("unknown_code",)
    assert database.small(lambda connection: record_use(connection, here, now=now)).flags == ()
    with database.reading() as session:
        assert simulate(session, code.code, ask(code.code), now=now).against[0].reason == "already_redeemed"


def test_a_code_typed_with_spaces_dashes_small_letters_and_o_for_0_is_found(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now), [1], now=now)
    typed = " - ".join(code.code.lower().replace("0", "o").replace("1", "l"))
    assert use(database, ask(typed), now=now).status == 201


NOT_FITTING: list[tuple[dict[str, Any], dict[str, Any], str, int]] = [
    ({"minimum_cents": 58_001}, {}, "minimum_not_met", 422),
    ({"categories": ["garden"]}, {}, "not_applicable", 422),
    ({"categories": ["furniture"]}, {"lines": (LAMP,)}, "not_applicable", 422),
    ({"excluded_categories": ["Furniture", "LIGHTING"]}, {}, "not_applicable", 422),
    ({"kind": "fixed", "amount_cents": 500}, {"currency": "CHF"}, "not_applicable", 422),
    ({"minimum_cents": 100}, {"currency": "CHF"}, "not_applicable", 422),
    ({"cap_cents": 100}, {"currency": "CHF"}, "not_applicable", 422),
    ({"budget_cents": 100_000}, {"currency": "CHF"}, "not_applicable", 422),
    ({"budget_cents": 5_799}, {}, "budget_exhausted", 409),
    ({"holder": "enforce"}, {}, "wrong_customer", 422),
    ({"holder": "enforce"}, {"customer": "c2"}, "wrong_customer", 422),
    ({"holder": "enforce"}, {"email": "nobody@example.com"}, "wrong_customer", 422),
    ({}, {"total_cents": 0}, "not_applicable", 422),
]


def test_what_does_not_fit_is_refused_recorded_and_takes_nothing(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    for turn, (fields, request_fields, reason, status) in enumerate(NOT_FITTING):
        offer = make_offer(database, now=now, key=f"offer-{turn}", **fields)
        [code] = make_codes(database, offer, [1], now=now)
        asked = ask(code.code, f"o{turn}", **request_fields)
        with database.reading() as session:
            foreseen = validate(session.connection(), code.code, asked, now=now)
        assert (foreseen["valid"], foreseen["reason"], foreseen["discount_cents"]) == (False, reason, 0), fields
        answer = use(database, asked, now=now)
        assert (answer.reason, answer.status) == (reason, status), fields
        assert _refusals(database)[turn:] == [reason]
    with database.reading() as session:
        assert set(session.scalars(select(Code.used))) == {0}
    assert _drift(database) == []


def test_currency_does_not_matter_to_a_plain_percentage(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now), [1], now=now)
    answer = use(database, ask(code.code, currency="CHF"), now=now)
    assert (answer.status, answer.body["currency"]) == (201, "CHF")


@pytest.mark.parametrize("named", [{"customer": "c1"}, {"email": " C1@Example.com "}])
def test_the_holder_is_known_by_number_or_address(database: Database, now: datetime, named: dict[str, str]) -> None:
    make_customers(database, 2, now=now)
    [code] = make_codes(database, make_offer(database, now=now, holder="enforce"), [1], now=now)
    assert use(database, ask(code.code, **named), now=now).status == 201  # type: ignore[arg-type]


def test_who_redeems_somebody_elses_code_is_noted_where_the_offer_does_not_mind(
    database: Database, now: datetime
) -> None:
    make_customers(database, 2, now=now)
    [code] = make_codes(database, make_offer(database, now=now), [1], now=now)
    assert use(database, ask(code.code, customer="c2"), now=now).body["customer"] == "c1"
    with database.reading() as session:
        row = session.scalars(select(Redemption)).one()
    assert (row.customer_id, row.redeemer_id, row.campaign, row.origin) == (1, 2, "spring", "enrolment:1")


def test_validity_begins_inclusive_and_ends_exclusive(database: Database, now: datetime) -> None:
    make_customers(database, 3, now=now)
    offer = make_offer(database, now=now, valid_days=14)
    first, last, late = make_codes(database, offer, [1, 2, 3], now=now)
    end = now + timedelta(days=14)
    tick = timedelta(microseconds=1)
    assert use(database, ask(first.code), now=now - tick).reason == "not_yet_valid"
    assert use(database, ask(first.code), now=now).status == 201
    assert use(database, ask(last.code), now=end - tick).status == 201
    assert use(database, ask(late.code), now=end).reason == "expired"


def test_unknown_used_and_revoked_codes_are_refused(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    used, revoked = make_codes(database, make_offer(database, now=now), [1, 2], now=now)
    with database.writing() as session:
        assert revoke(session.connection(), [revoked.code_id], reason="stopped", now=now) == 1
    assert use(database, ask(used.code), now=now).status == 201
    expected = {used.code: ("already_redeemed", 409), revoked.code: ("revoked", 422),
                "NOSUCHCODE": ("unknown_code", 422),
                "---": ("unknown_code", 422), "A" * 5000: ("unknown_code", 422)}
    for text, outcome in expected.items():
        answer = use(database, ask(text, "o2"), now=now)
        assert (answer.reason, answer.status) == outcome
    assert _refusals(database) == [reason for reason, _ in expected.values()]


def test_one_customer_uses_an_offer_as_often_as_its_limit_over_all_codes(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now, limit_per_customer=1)
    one = make_codes(database, offer, [1, 2], now=now, origin="a")
    two = make_codes(database, offer, [1], now=now, origin="b")
    assert use(database, ask(one[0].code, "o1"), now=now).status == 201
    refused = use(database, ask(two[0].code, "o2"), now=now)
    assert (refused.reason, refused.status) == ("limit_reached", 409)
    assert use(database, ask(one[1].code, "o3"), now=now).status == 201
    with database.reading() as session:
        assert session.get_one(Code, two[0].code_id).used == 0
    assert _drift(database) == []


def test_the_total_limit_and_the_budget_refuse_and_give_back_what_was_taken(database: Database, now: datetime) -> None:
    customers = make_customers(database, 4, now=now)
    offer = make_offer(database, now=now, limit_total=2, limit_per_customer=1, budget_cents=3 * 5800)
    codes = make_codes(database, offer, customers, now=now)
    answers = [use(database, ask(code.code, f"o{code.code_id}"), now=now) for code in codes]
    assert [answer.status for answer in answers] == [201, 201, 409, 409]
    assert answers[2].reason == "limit_reached"
    with database.writing() as session:
        save_offer(session, offer.key, name="Ten percent", kind="percent", percent=10, limit_total=9,
                   limit_per_customer=1, budget_cents=2 * 5800 + 5799, now=now)
    assert use(database, ask(codes[2].code, "new"), now=now).reason == "budget_exhausted"
    with database.reading() as session:
        assert session.get_one(Code, codes[2].code_id).state == "issued"
        assert session.scalar(select(func.sum(LimitUse.used))) == 2
        assert session.scalars(select(Offer)).one().spent_cents == 2 * 5800
    assert _drift(database) == []


def test_limits_set_later_count_what_was_redeemed_before(database: Database, now: datetime) -> None:
    customers = make_customers(database, 3, now=now)
    offer = make_offer(database, now=now)
    codes = make_codes(database, offer, customers, now=now)
    more = make_codes(database, offer, [1], now=now, origin="more")
    for code in codes[:2]:
        assert use(database, ask(code.code, f"o{code.code_id}"), now=now).status == 201
    with database.writing() as session:
        saved = save_offer(session, offer.key, name="Ten percent", kind="percent", percent=10, limit_total=2,
                           limit_per_customer=1, now=now)
        assert (saved.used, saved.spent_cents) == (2, 11_600)
    assert use(database, ask(codes[2].code, "o9"), now=now).reason == "limit_reached"
    assert use(database, ask(more[0].code, "o10"), now=now).reason == "limit_reached"
    assert _drift(database) == []


def test_a_full_rollback_gives_the_use_back_and_repeats_without_taking_twice(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_total=1, limit_per_customer=1, budget_cents=5800)
    [code] = make_codes(database, offer, [1], now=now)
    public_id = use(database, ask(code.code), now=now).body["id"]
    first = _roll_back(database, public_id, now)
    assert (first["state"], first["rolled_back_cents"]) == ("rolled_back", 5800)
    assert _roll_back(database, public_id, now + timedelta(days=1)) == first
    assert _drift(database) == []
    assert use(database, ask(code.code, "o2"), now=now).status == 201
    assert _drift(database) == []
    assert use(database, ask(code.code, "o1"), now=now).body["state"] == "rolled_back"


def test_partial_rollbacks_add_up_and_free_the_use_only_when_nothing_is_left(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, budget_cents=10_000), [1], now=now)
    public_id = use(database, ask(code.code), now=now).body["id"]
    part = _roll_back(database, public_id, now, 2000)
    assert (part["state"], part["rolled_back_cents"]) == ("redeemed", 2000)
    assert _roll_back(database, public_id, now, 2000) == part
    with database.reading() as session:
        assert session.scalars(select(Offer)).one().spent_cents == 3800
    with pytest.raises(Invalid, match="At most 3800 cents"):
        _roll_back(database, public_id, now, 3801)
    second = _roll_back(database, public_id, now, 2000, key="second return")
    assert second["rolled_back_cents"] == 4000
    with pytest.raises(Conflict):
        _roll_back(database, public_id, now, 1, key="second return")
    assert _roll_back(database, public_id, now, 1800)["state"] == "rolled_back"
    assert use(database, ask(code.code, "o2"), now=now).status == 201
    assert _drift(database) == []


def test_an_unknown_redemption_cannot_be_rolled_back(database: Database, now: datetime) -> None:
    with pytest.raises(NotFound):
        _roll_back(database, "r_none", now)


def test_a_cancelled_order_rolls_back_and_a_late_redemption_for_it_is_refused(
    database: Database, now: datetime
) -> None:
    make_customers(database, 2, now=now)
    one, two = make_codes(database, make_offer(database, now=now), [1, 2], now=now)
    use(database, ask(one.code, "o1"), now=now)
    for expected in (1, 0):
        assert database.small(lambda connection: cancel_order(connection, shop="", order_ref="o1", now=now)) == expected
    assert use(database, ask(two.code, "o1"), now=now).reason == "order_cancelled"
    assert use(database, ask(two.code, "o1", shop="other"), now=now).status == 201
    assert _drift(database) == []


def test_asking_first_foresees_the_answer_and_changes_nothing(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, categories=["furniture"], limit_per_customer=1, limit_total=1)
    [code] = make_codes(database, offer, [1], now=now)
    [other] = make_codes(database, offer, [1], now=now, origin="other")
    asked = ask(code.code)
    with database.reading() as session:
        foreseen = validate(session.connection(), code.code, asked, now=now)
        assert validate(session.connection(), "nonsense", asked, now=now)["reason"] == "unknown_code"
    assert foreseen == {"valid": True, "reason": None, "discount_cents": 5000, "line_discounts_cents": [5000, 0]}
    assert use(database, asked, now=now).body["discount_cents"] == 5000
    with database.reading() as session:
        assert validate(session.connection(), code.code, asked, now=now)["valid"] is True
        assert validate(session.connection(), other.code, ask(other.code, "o2"), now=now)["reason"] == "limit_reached"
    assert _refusals(database) == []


_STEPS = st.lists(st.tuples(st.sampled_from(["redeem", "roll back", "part", "cancel", "limits"]),
                            st.integers(0, 3), st.integers(0, 5)), max_size=25)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_any_mix_of_redeeming_rolling_back_and_changing_limits_keeps_counters_equal_to_the_ledger(
    sqlite_database: Database, now: datetime, steps: list[tuple[str, int, int]]
) -> None:
    database = sqlite_database
    with database.reading() as session:
        fresh = session.scalar(select(func.count()).select_from(Offer)) or 0
    if not fresh:
        make_customers(database, 2, now=now)
    key = f"offer-{fresh}"
    offer = make_offer(database, now=now, key=key, limit_per_code=2, limit_per_customer=3, limit_total=4,
                       budget_cents=20_000)
    codes = [*make_codes(database, offer, [1, 2], now=now, origin=f"{key}a"),
             *make_codes(database, offer, [1, 2], now=now, origin=f"{key}b")]
    done: list[str] = []
    for verb, which, amount in steps:
        order = f"{key}-{amount}"
        if verb == "redeem":
            answer = use(database, ask(codes[which].code, order, lines=(SOFA,) if amount % 2 else (LAMP,)), now=now)
            if answer.status == 201:
                done.append(answer.body["id"])
        elif verb == "cancel" and amount == 5:
            database.small(lambda connection, order=order: cancel_order(connection, shop="", order_ref=order, now=now))
        elif verb == "limits":
            with database.writing() as session:
                save_offer(session, key, name="x", kind="percent", percent=10, limit_per_code=2,
                           limit_per_customer=3 if which % 2 else None, limit_total=9 if which > 1 else None,
                           budget_cents=50_000 if amount % 2 else None, now=now)
        elif done:
            with contextlib.suppress(Invalid):
                _roll_back(database, done[which % len(done)], now, None if verb == "roll back" else 100 * amount + 1)
    assert _drift(database) == []
