"""Stopping codes by hand: how many stop is said before, what was done is kept, and it can be undone."""

from datetime import datetime, timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core.clock import stand_at
from core.database import Database
from coupons.codes.pools import import_pool
from coupons.models import Code, Offer
from coupons.states import withdraw
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use
from web.coupons.stops import STOPPED
from web.models import AuditEntry
from web.security.audit import record

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def codes(database: Database, now: datetime) -> list[str]:
    """Three codes given to people, of which one is used, and a batch with two in stock."""
    with database.writing() as session:
        stand_at(session.connection(), now)
    make_customers(database, 3, now=now)
    offer = make_offer(database, now=now)
    given = [code.code for code in make_codes(database, offer, [1, 2, 3], now=now)]
    use(database, ask(given[0]), now=now)
    import_pool(database, offer.key, enumerate(["SAVE0001", "SAVE0002"]), name="Printer <b>", now=now,
                reject=lambda *_line: None)
    return given


def _states(database: Database) -> list[str]:
    with database.reading() as session:
        return sorted(session.scalars(select(Code.state)))


@pytest.mark.parametrize(("what", "which", "title", "left"), [
    ("offer", "ten-percent", "Stop 4 live codes?", ["redeemed", "revoked", "revoked", "revoked", "revoked"]),
    ("batch", "1", "Stop 2 live codes?", ["issued", "issued", "redeemed", "revoked", "revoked"]),
    ("campaign", "spring", "Stop 2 live codes?", ["redeemed", "revoked", "revoked", "stock", "stock"]),
])
def test_a_stop_says_how_many_before_and_is_undone_after(
    what: str, which: str, title: str, left: list[str], codes: list[str], database: Database, marketer: FlaskClient
) -> None:
    before = _states(database)
    asked = marketer.get("/stops/_new", query_string={"what": what, "which": which})
    assert title in unescape(asked.text) and "Printer <b>" not in asked.text
    assert _states(database) == before  # asking stops nothing
    done = marketer.post("/stops", data={"what": what, "which": which, "why": "a forum\nhas it"}, follow_redirects=True)
    assert "withdrawn. Shops refuse" in done.text and "Undo" in done.text
    assert _states(database) == left
    with database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.verb == "codes.stopped")).one()
        assert (entry.thing, entry.detail["codes"], entry.user_id) == (f"{what}:{which}", left.count("revoked"), 1)
        assert session.scalar(select(Offer.active)) is (what != "offer")
    leaks = unescape(marketer.get("/leaks").text)
    assert "a forum has it" in leaks and "Let go" in leaks
    again = marketer.post("/stops", data={"what": what, "which": which}, follow_redirects=True)
    assert "Nothing was changed" in again.text or what == "offer"
    freed = marketer.post(f"/stops/{entry.id}/release", follow_redirects=True).text
    assert f"{left.count('revoked')} codes work again" in freed
    assert _states(database) == before
    with database.reading() as session:
        assert session.scalar(select(Offer.active)) is True
    twice = marketer.post(f"/stops/{entry.id}/release", follow_redirects=True)
    assert "was released already" in twice.text
    assert "released" in marketer.get("/leaks").text


def test_one_code_is_stopped_from_its_page_and_its_story_tells_it(
    codes: list[str], database: Database, marketer: FlaskClient, now: datetime
) -> None:
    page = marketer.get(f"/codes/{codes[1]}").text
    assert f"/stops/_new?what=code&amp;which={codes[1]}" in page
    assert "Stop this code" not in marketer.get(f"/codes/{codes[0]}").text  # it was used
    assert "Stop 1 live code?" in marketer.get(f"/stops/_new?what=code&which={codes[1].lower()}").text
    done = marketer.post("/stops", data={"what": "code", "which": codes[1]}, follow_redirects=True)
    assert "Stopped by marketer person" in done.text and "It leaked." in done.text
    with database.writing() as session:
        stand_at(session.connection(), now + timedelta(hours=1))
    freed = unescape(marketer.post("/stops/1/release", follow_redirects=True).text)
    assert "1 code works again" in freed and "Let go again" in freed and "Stopped by marketer person" in freed


def test_a_stop_that_broke_off_can_be_released_all_the_same(
    codes: list[str], database: Database, marketer: FlaskClient, now: datetime
) -> None:
    reason = "stopped: it leaked"
    with database.writing() as session:  # the entry came first, then the machine went down after two codes
        entry = record(session, STOPPED, "offer:ten-percent", now=now, what="offer", which="ten-percent",
                       name="Ten percent", codes=4, reason=reason, issued=True)
        two = session.scalars(select(Code.id).where(Code.state.in_(("issued", "stock"))).order_by(Code.state).limit(3))
        assert withdraw(session.connection(), list(two)[1:], reason=reason, now=now) == 2
    assert "Let go" in marketer.get("/leaks").text
    assert "2 codes work again" in marketer.post(f"/stops/{entry.id}/release", follow_redirects=True).text
    assert _states(database) == ["issued", "issued", "redeemed", "stock", "stock"]


def test_what_cannot_be_stopped_is_said(codes: list[str], marketer: FlaskClient) -> None:
    used = unescape(marketer.get(f"/stops/_new?what=code&which={codes[0]}").text)
    assert "Nothing is left to stop" in used and "Every code of it was used or withdrawn already." in used
    for what, which, status in (
            ("house", "x", 400), ("offer", "none", 404), ("batch", "-1", 404), ("batch", "9" * 30, 404),
            ("code", "\x00", 404), ("", "", 404), ("campaign", "<b>", 200)):
        assert marketer.get("/stops/_new", query_string={"what": what, "which": which}).status_code == status, what
        if status != 200:
            assert marketer.post("/stops", data={"what": what, "which": which}).status_code == status, what
    assert marketer.post("/stops/99/release").status_code == 404
    assert marketer.post(f"/stops/{2**70}/release").status_code == 404
