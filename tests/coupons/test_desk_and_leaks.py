"""Agents stay within the till's limits and their own; what leaks is seen, and stopped where somebody says so."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from core.database import Database
from core.errors import Conflict, Invalid, NotFound
from coupons.checks.invariants import drift
from coupons.codes.leaks import count_flagged, flagged, look_at_flags, travelling
from coupons.codes.pools import add_public_codes, configure_source, import_pool
from coupons.codes.stopping import Target, reach, release, stop
from coupons.models import Code, CodeRenewal, Offer, Redemption
from coupons.till import desk
from coupons.till.reserving import deciding
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use


def at_desk(database: Database, code: str, order: str, *, now: datetime, agent: str = "Ada") -> tuple[int, str | None]:
    answer = deciding(database, lambda connection: desk.redeem_at_desk(
        connection, ask(code, order), agent=agent, key=f"k-{order}", now=now), now=now)
    return answer.status, answer.reason


def renew(database: Database, code: str, *, now: datetime, days: int = 7, reason: str = "our letter came late",
          agent: str = "Ada") -> datetime:
    with database.writing() as session:
        return desk.renew_code(session, code, agent=agent, reason=reason, days=days, now=now)


def test_an_agent_redeems_under_the_same_limits_and_is_counted_apart(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    codes = make_codes(database, make_offer(database, now=now, limit_total=1), [1, 2], now=now)
    assert at_desk(database, codes[0].code, "o1", now=now) == (201, None)
    assert at_desk(database, codes[1].code, "o2", now=now) == (409, "limit_reached")
    with database.reading() as session:
        assert session.execute(select(Redemption.told_by, Redemption.agent)).one() == ("agent", "Ada")
        assert desk.desk_work(session, now=now) == desk.DeskWork(1, 5_800, 0)
        assert drift(session.connection()) == []


def test_an_agent_has_a_limit_of_redemptions_a_day(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "USES_PER_DAY", 2)
    make_customers(database, 3, now=now)
    codes = make_codes(database, make_offer(database, now=now), [1, 2, 3], now=now)
    for number in (0, 1):
        assert at_desk(database, codes[number].code, f"o{number}", now=now)[0] == 201
    with pytest.raises(Conflict):
        at_desk(database, codes[2].code, "o2", now=now)
    assert at_desk(database, codes[2].code, "o2", now=now, agent="Bo")[0] == 201


def test_an_expired_code_is_renewed_once_with_a_reason_and_redeemed(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    code = make_codes(database, make_offer(database, now=now, valid_days=14), [1], now=now)[0].code
    later = now + timedelta(days=20)
    for wrong in ({"reason": " "}, {"days": 0}, {"days": 15}):
        with pytest.raises(Invalid):
            renew(database, code, now=later, **wrong)  # type: ignore[arg-type]
    with pytest.raises(Conflict):
        renew(database, code, now=now)  # it is still good
    with pytest.raises(NotFound):
        renew(database, "NO-SUCH-CODE", now=later)
    assert at_desk(database, code, "o1", now=later) == (422, "expired")
    assert renew(database, code, now=later) == later + timedelta(days=7)
    with database.reading() as session:
        kept = session.scalars(select(CodeRenewal)).one()
        assert (kept.agent, kept.reason) == ("Ada", "our letter came late")
    assert at_desk(database, code, "o1-again", now=later + timedelta(days=6)) == (201, None)
    with pytest.raises(Conflict):
        renew(database, code, now=later + timedelta(days=30))


def test_a_renewed_code_that_ran_out_again_is_not_renewed_a_second_time(database: Database, now: datetime) -> None:
    make_customers(database, 1, now=now)
    code = make_codes(database, make_offer(database, now=now, valid_days=14), [1], now=now)[0].code
    renew(database, code, now=now + timedelta(days=20))
    with pytest.raises(Conflict, match="more days already"):
        renew(database, code, now=now + timedelta(days=60))


def test_a_code_tried_in_many_baskets_is_seen_and_stopped(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    codes = make_codes(database, make_offer(database, now=now), [1, 2], now=now)
    for number in range(5):
        use(database, ask(codes[0].code, f"o{number}"), now=now)
        use(database, ask(codes[1].code, "same order", total_cents=1 + number, lines=()), now=now)
    with database.reading() as session:
        seen = travelling(session, now=now)
        assert [(found.code, found.baskets, found.holder) for found in seen] == [(codes[0].code, 5, "c1")]
        assert travelling(session, now=now + timedelta(days=8)) == []
    used_up = Target("code", codes[1].code)
    assert stop(database, used_up, reason="it leaked", now=now) == 0  # its one use was made
    for target in (Target("code", "NO-SUCH-CODE"), Target("offer", "none"), Target("batch", "7"), Target("batch", "x")):
        with pytest.raises(NotFound):
            stop(database, target, reason="it leaked", now=now)
    with pytest.raises(Invalid):
        stop(database, Target("house", "1"), reason="it leaked", now=now)


def test_a_campaign_and_an_offer_are_stopped_and_what_was_redeemed_stays(database: Database, now: datetime) -> None:
    make_customers(database, 3, now=now)
    offer = make_offer(database, now=now)
    codes = make_codes(database, offer, [1, 2, 3], now=now)
    with database.writing() as session:
        session.execute(update(Code).where(Code.id == codes[2].code_id).values(campaign="autumn", use_limit=3))
    use(database, ask(codes[0].code, "o1"), now=now)
    use(database, ask(codes[2].code, "o3"), now=now)
    assert stop(database, Target("campaign", "spring"), reason="it leaked", now=now) == 1
    assert use(database, ask(codes[1].code, "o2"), now=now).reason == "revoked"
    assert stop(database, Target("offer", offer.key), reason="it leaked", now=now) == 1  # the one with uses left
    assert use(database, ask(codes[2].code, "o4"), now=now).reason == "revoked"
    with database.reading() as session:
        assert session.scalar(select(Offer.active)) is False
        assert session.scalars(select(Redemption.state)).all() == ["redeemed", "redeemed"]
        assert drift(session.connection()) == []


def test_what_would_stop_is_counted_before(database: Database, now: datetime) -> None:
    make_customers(database, 3, now=now)
    offer = make_offer(database, now=now, valid_days=14)
    make_codes(database, offer, [1], now=now - timedelta(days=20), origin="a")
    codes = make_codes(database, offer, [1, 2, 3], now=now, origin="b")
    use(database, ask(codes[0].code), now=now)
    batch = import_pool(database, offer.key, enumerate(["SAVE0001", "SAVE0002"]), name="Printer", now=now,
                        reject=lambda *_line: None)
    with database.reading() as session:
        all_of_it = reach(session, Target("offer", offer.key), now=now)
        assert (all_of_it.given, all_of_it.stock, all_of_it.expired, all_of_it.live) == (2, 2, 1, 4)
        assert (all_of_it.name, all_of_it.issues) == ("Ten percent", True)
        pool = reach(session, Target("batch", str(batch)), now=now)
        assert (pool.name, pool.live, pool.stock) == ("Printer", 2, 2)
        assert reach(session, Target("code", codes[0].code), now=now).live == 0
        assert reach(session, Target("campaign", "spring"), now=now).given == 2


def test_a_release_gives_back_exactly_what_its_stop_took(database: Database, now: datetime) -> None:
    make_customers(database, 3, now=now)
    offer = make_offer(database, now=now)
    import_pool(database, offer.key, enumerate(["SAVE0001", "SAVE0002"]), name="Printer", now=now,
                reject=lambda *_line: None)
    with database.writing() as session:
        add_public_codes(session, offer.key, [("SUMMER", "Ulm")], name="Poster", uses=None, now=now)
        configure_source(session, offer.key, source="pool_first", low_stock=None, now=now)
    codes = make_codes(database, offer, [1, 2, 3], now=now)  # the first two come out of the pool
    import_pool(database, offer.key, enumerate(["SAVE0003"]), name="More", now=now, reject=lambda *_line: None)
    early, late = now + timedelta(hours=1), now + timedelta(hours=2)
    target = Target("offer", offer.key)
    assert stop(database, Target("code", codes[0].code), reason="stopped: it leaked", now=early) == 1
    assert stop(database, target, reason="stopped: it leaked", now=late) == 4
    assert use(database, ask(codes[1].code), now=late).reason == "revoked"
    assert release(database, target, reason="stopped: it leaked", stopped_at=late, switch_on=True, now=late) == 4
    assert release(database, target, reason="stopped: it leaked", stopped_at=late, switch_on=True, now=late) == 0
    with database.reading() as session:
        states = {row.code: row.state for row in session.execute(select(Code.code, Code.state))}
        assert states == {codes[0].code: "revoked", codes[1].code: "issued", codes[2].code: "issued",
                          "SUMMER": "issued", "SAVE0003": "stock"}
        assert session.scalar(select(Offer.active)) is True
    assert use(database, ask(codes[1].code), now=late).status == 201
    assert use(database, ask("SAVE0003", "o9"), now=late).reason == "unknown_code"
    with database.reading() as session:
        assert drift(session.connection()) == []


def test_flags_stand_until_somebody_has_looked(database: Database, now: datetime) -> None:
    make_customers(database, 2, now=now)
    offer = make_offer(database, now=now)
    with database.writing() as session:
        session.execute(update(Offer).values(holder="flag", updated_at=now + timedelta(seconds=1)))
    codes = make_codes(database, offer, [1], now=now)
    use(database, ask(codes[0].code, "o1", customer="c2"), now=now)
    with database.reading() as session:
        assert [(found.redemption.flags, found.redeemer) for found in flagged(session)] == [("wrong_customer", "c2")]
    with database.writing() as session:
        assert look_at_flags(session, now=now) == 1
        assert count_flagged(session) == 0
