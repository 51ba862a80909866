"""The feed of the till: accepted and refused in one list, filtered, walked back without a gap."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert

from core.database import Database
from core.errors import Invalid
from coupons.models import Redemption
from coupons.till.redeeming import roll_back
from coupons.till.till import OUTCOMES, TillFilter, TillSums, at_the_till, latest, till_sums
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use


def busy_till(database: Database, *, now: datetime) -> list[str]:
    """At each of three instants two redemptions, a second try of one of them and an unknown code; returns the codes."""
    make_customers(database, 6, now=now)
    codes = make_codes(database, make_offer(database, now=now), list(range(1, 7)), now=now)
    for place in range(3):
        at = now + timedelta(minutes=place)
        for code in codes[2 * place:2 * place + 2]:
            use(database, ask(code.code, f"o{code.code_id}", shop="s1"), now=at)
        use(database, ask(codes[2 * place].code, f"again{place}", shop="s2"), now=at)
        use(database, ask("WHATISTHIS", f"u{place}"), now=at)
    return [code.code for code in codes]


def test_what_happened_at_one_instant_is_walked_once_and_without_a_gap(database: Database, now: datetime) -> None:
    codes = busy_till(database, now=now)
    with database.reading() as session:
        whole, none = at_the_till(session, TillFilter())
        assert none is None and len(whole) == 12
        assert [event.at for event in whole] == sorted((event.at for event in whole), reverse=True)
        for size in (1, 2, 3, 5):
            walked, after = at_the_till(session, TillFilter(), limit=size)
            while after is not None:
                more, after = at_the_till(session, TillFilter(), after=after, limit=size)
                walked += more
            assert walked == whole, size
        assert latest(session, limit=2) == whole[:2]
    newest = whole[:4]
    assert [event.outcome for event in newest] == ["redeemed", "redeemed", "refused", "refused"]
    assert {event.code for event in newest} == {codes[4], codes[5], "WHATISTHIS"}
    assert [(event.refused, event.known, event.offer) for event in newest if event.refused] == [
        ("unknown_code", False, None), ("already_redeemed", True, "Ten percent")]


def test_the_feed_is_narrowed_by_offer_campaign_shop_and_outcome(database: Database, now: datetime) -> None:
    busy_till(database, now=now)
    other = make_offer(database, now=now, key="other", name="Other")
    given = use(database, ask(make_codes(database, other, [1], now=now)[0].code, "x1", shop="s3"), now=now)
    with database.writing() as session:
        roll_back(session.connection(), given.body["id"], key="k", now=now)
    with database.reading() as session:

        def found(**fields: str) -> list[tuple[str, str]]:
            return [(event.outcome, event.shop) for event in at_the_till(session, TillFilter(**fields))[0]]

        assert found(offer="other") == [("rolled_back", "s3")]
        assert found(shop="s2") == [("refused", "s2")] * 3
        assert found(outcome="refused", offer="ten-percent") == [("refused", "s2")] * 3
        assert found(outcome="rolled_back") == [("rolled_back", "s3")]
        assert len(found(campaign="spring")) == 10 and found(campaign="autumn") == []
        assert sum(len(found(outcome=each)) for each in OUTCOMES) == len(found())
        with pytest.raises(Invalid, match="Use one of"):
            at_the_till(session, TillFilter(outcome="stolen"))
        for place in ("", "1", "1-2", "x-1-2", "1-0-" + "9" * 30):
            with pytest.raises(Invalid, match="the page before"):
                at_the_till(session, TillFilter(), after=place)


def test_the_sums_of_a_day_count_what_stands_by_currency(database: Database, now: datetime) -> None:
    busy_till(database, now=now)
    dollars = make_offer(database, now=now, key="dollars", currency="USD")
    given = use(database, ask(make_codes(database, dollars, [1], now=now)[0].code, "x1", currency="USD"), now=now)
    with database.writing() as session:
        roll_back(session.connection(), given.body["id"], amount_cents=800, key="k", now=now)
    with database.reading() as session:
        sums = till_sums(session, TillFilter(outcome="refused"), since=now)
        assert (sums.redeemed, sums.refused, sums.discounts) == (7, 6, {"EUR": 6 * 5_800, "USD": 5_000})
        later = till_sums(session, TillFilter(shop="s1"), since=now + timedelta(minutes=1))
        assert (later.redeemed, later.refused) == (4, 0)


def test_imported_history_did_not_happen_at_the_till(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session:
        session.execute(insert(Redemption).values(
            public_id="h1", external_id="h1", code_text="OLD", discount_cents=500, rolled_back_cents=0, currency="EUR",
            state="redeemed", history=True, redeemed_at=now))
    with sqlite_database.reading() as session:
        assert latest(session) == []
        assert till_sums(session, TillFilter(), since=now) == TillSums(0, 0, {})
