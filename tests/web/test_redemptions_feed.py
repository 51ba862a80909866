"""The feed of redemptions and refusals: its page, the rows that are asked for again, and its list for programs."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import expect
from sqlalchemy import update

from core.clock import stand_at
from core.database import Database
from coupons.codes.pools import add_public_codes
from coupons.models import Redemption
from tests.conftest import NOW
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use
from tests.coupons.test_till import busy_till
from tests.web.conftest import Live
from tests.web.looks import TWO_LOOKS, check_look
from tests.web.test_campaign_pages import words


@pytest.fixture
def till(sqlite_database: Database, now: datetime) -> list[str]:
    """Six redemptions and six refusals; returns the codes."""
    with sqlite_database.writing() as session:
        stand_at(session.connection(), now)
    return busy_till(sqlite_database, now=now)


only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@only_sqlite
def test_the_page_says_the_day_in_a_sentence_and_leads_to_each_code(marketer: FlaskClient, till: list[str]) -> None:
    page = marketer.get("/redemptions").text
    told = words(page)
    assert "Today 6 codes were redeemed for €348.00 off, and 6 tries were refused." in told
    assert told.count("code used already") == 3 and told.count("unknown code") == 3 and "−€58.00" in told
    assert all(f'href="/codes/{code}"' in page for code in till)
    assert 'href="/codes?q=WHATISTHIS"' in page
    assert 'data-poll="/redemptions/_newest"' in page


@only_sqlite
def test_filters_narrow_the_page_and_what_it_asks_for_again(marketer: FlaskClient, till: list[str]) -> None:
    page = marketer.get("/redemptions?outcome=refused&shop=s2").text
    assert words(page).count("code used already") == 3 and "unknown code" not in words(page).split("Came of it")[1]
    assert 'data-poll="/redemptions/_newest?shop=s2&amp;outcome=refused"' in page
    assert '<option value="s2" selected>' in page
    rows = words(marketer.get("/redemptions/_newest?shop=s2&outcome=refused").text)
    assert rows.count("code used already") == 3 and "Redemptions" in rows
    assert "Nothing fits these filters" in words(marketer.get("/redemptions?offer=none").text)
    for text in ("<script>alert(1)</script>", "\x00", "x" * 5_000, "’", "\u202e"):
        asked = dict.fromkeys(("offer", "campaign", "shop", "outcome"), text)
        answer = marketer.get("/redemptions", query_string=asked)
        assert answer.status_code == 200 and "<script>alert" not in answer.text
    assert marketer.get("/redemptions?after=x").status_code == 400


@only_sqlite
def test_an_older_page_stands_still_and_leads_back(
    marketer: FlaskClient, database: Database, till: list[str], now: datetime
) -> None:
    for number in range(40):
        use(database, ask("WHATISTHIS", f"n{number}"), now=now)
    page = marketer.get("/redemptions").text
    following = page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    older = marketer.get(following).text
    assert "data-poll=" not in older and "First page" in older and "live.js" not in older
    assert words(page.split("<tbody>")[1]).count("unknown code") + words(older.split("<tbody>")[1]).count(
        "unknown code") == 43


@only_sqlite
def test_a_public_code_is_named_as_it_was_opened(
    marketer: FlaskClient, client: FlaskClient, api_key: Callable[..., dict[str, str]], database: Database,
    till: list[str], now: datetime
) -> None:
    with database.writing() as session:
        add_public_codes(session, "ten-percent", [("Summer-Ulm", "Ulm")], name="Posters", uses=1, now=now)
    for number in range(6):
        use(database, ask("summer ulm", f"p{number}", customer="c9"), now=now + timedelta(minutes=1))
    with database.writing() as session:
        session.execute(update(Redemption).where(Redemption.order_ref == "p0").values(flags="over_limit"))
    told = words(marketer.get("/redemptions").text)
    assert told.count("Summer-Ulm") == 6 and "SUMMERU1M" not in told
    told = words(marketer.get("/leaks").text)
    assert "Summer-Ulm" in told and "SUMMERU1M" not in told and "6" in told
    listed = client.get("/api/v1/redemptions/feed", headers=api_key("read")).json
    assert listed is not None
    mine = [item for item in listed["items"] if item["order_id"].startswith("p")]
    assert {item["display"] for item in mine} == {"Summer-Ulm"}
    assert {item["outcome"] for item in mine} == {"redeemed", "refused"}


def test_a_refused_order_is_told_in_its_own_currency(
    marketer: FlaskClient, client: FlaskClient, api_key: Callable[..., dict[str, str]], database: Database,
    now: datetime
) -> None:
    with database.writing() as session:
        stand_at(session.connection(), now)
    offer = make_offer(database, now=now, key="fifteen", kind="fixed", amount_cents=1500)
    [issued] = make_codes(database, offer, make_customers(database, 1, now=now), now=now)
    assert use(database, ask(issued.code, currency="USD"), now=now).status == 422
    listed = client.get("/api/v1/redemptions/feed", headers=api_key("read")).json
    assert listed is not None and [item["currency"] for item in listed["items"]] == ["USD"]
    for page in (marketer.get("/redemptions"), marketer.get(f"/codes/{issued.code}")):
        assert "580.00" in page.text and "€580.00" not in page.text


@only_sqlite
def test_programs_walk_the_same_feed(
    client: FlaskClient, api_key: Callable[..., dict[str, str]], till: list[str]
) -> None:
    headers = api_key("read")
    assert client.get("/api/v1/redemptions/feed").status_code == 401
    first = client.get("/api/v1/redemptions/feed?limit=7", headers=headers).json
    assert first is not None and len(first["items"]) == 7
    rest = client.get(f"/api/v1/redemptions/feed?after={first['next']}", headers=headers).json
    assert rest is not None and rest["next"] is None
    items: list[dict[str, Any]] = first["items"] + rest["items"]
    assert len(items) == 12 and len({(item["at"], item["code"], item["order_id"]) for item in items}) == 12
    redeemed, refused = ([item for item in items if item["outcome"] == each] for each in ("redeemed", "refused"))
    assert redeemed[0]["redemption"] and redeemed[0]["discount_cents"] == 5_800 and redeemed[0]["flags"] == []
    assert {item["reason"] for item in refused} == {"unknown_code", "already_redeemed"}
    shown = client.get(f"/api/v1/redemptions/{redeemed[0]['redemption']}", headers=headers).json
    assert shown is not None and shown["code"] == redeemed[0]["code"]
    only = client.get("/api/v1/redemptions/feed?outcome=refused&shop=s2", headers=headers).json
    assert only is not None and [item["shop"] for item in only["items"]] == ["s2"] * 3
    for wrong in ("outcome=stolen", "after=x", "limit=0", "shop="):
        assert client.get(f"/api/v1/redemptions/feed?{wrong}", headers=headers).status_code == 400, wrong


@pytest.mark.browser
@TWO_LOOKS
def test_the_feed_goes_on_by_itself_until_it_is_paused(live: Live, width: int, scheme: str) -> None:
    make_customers(live.database, 3, now=NOW)
    with live.database.writing() as session:
        stand_at(session.connection(), NOW)
    codes = make_codes(live.database, make_offer(live.database, now=NOW), [1, 2, 3], now=NOW)
    use(live.database, ask(codes[0].code, "first"), now=NOW)
    page = live.open("/redemptions", width=width, scheme=scheme)
    check_look(page, width)
    page.clock.install()
    page.goto("/redemptions")
    rows = page.locator("[data-poll] tbody tr")
    expect(rows).to_have_count(1)
    page.clock.pause_at(page.evaluate("Date.now() / 1000") + 3600)  # from here on only the test moves the clock
    use(live.database, ask(codes[1].code, "second"), now=NOW)
    for _look in range(60):  # a question under way when the clock stopped takes the place of the next
        page.clock.run_for(6_000)
        with suppress(AssertionError):
            expect(rows).to_have_count(2, timeout=2_000)
            break
    expect(rows).to_have_count(2)
    expect(page.get_by_role("status").first).to_have_text("Today 2 codes were redeemed for €116.00 off.")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-poll-live]")).to_be_hidden()
    use(live.database, ask(codes[2].code, "third"), now=NOW)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert asked == []
    page.get_by_role("button", name="Pause").click()
    expect(rows).to_have_count(3)
