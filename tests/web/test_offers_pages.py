"""The pages of offers and codes: what is typed, what is reckoned, what can be taken back."""

import html
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from core import clock
from core.codes import grouped
from core.database import Database
from core.settings import Settings, read_settings
from coupons.codes.showing import find_code
from coupons.offers.offers import offer_by_key
from tests.conftest import PROOFS
from tests.coupons.factories import ask, make_codes, make_offer, use
from tests.web.people import make_people
from web.coupons.offer_form import form_of
from web.models import AuditEntry
from web.wording.amounts import read_cents, written_cents

GOOD = {"name": "10 % off furniture", "key": "ten-percent", "kind": "percent", "percent": "10", "currency": "EUR",
        "limit_per_code": "1", "valid_days": "14", "holder": "off", "active": "yes", "was": "", "do": "save"}
HOSTILE = ["<script>alert(1)</script>", "\u202eتنافر" * 20, "🧨" * 100, "x" * 10_000, "\x00", "-1", "0", "1e9", "NaN",
           "99999999999999999999"]


def hostile(*fields: str) -> list[tuple[str, str]]:
    """Each field with one of the texts, in turn; with each of them in the proofs."""
    return [(field, text) for place, field in enumerate(fields) for turn, text in enumerate(HOSTILE)
            if PROOFS or place % len(HOSTILE) == turn]


@pytest.fixture
def database(sqlite_database: Database, now: datetime) -> Database:
    """Pages do not depend on the engine: SQLite only, with eight people; the clock stands at `now`."""
    make_people(sqlite_database, now=now)
    with sqlite_database.writing() as session:
        clock.stand_at(session.connection(), now)
    return sqlite_database


@pytest.fixture
def settings(database: Database, tmp_path: Any) -> Settings:
    return read_settings({"WINBACK_HOME": str(tmp_path / "home"), "WINBACK_SECRET_KEY": "test-secret-key-0123456789",
                          "WINBACK_DATABASE_URL": f"sqlite:///{database.path}"})


def seen(page: str) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', page)
    assert found
    return html.unescape(found[1])


def test_an_offer_made_in_the_form_is_stored_as_it_was_typed(marketer: FlaskClient, database: Database) -> None:
    answer = marketer.post("/offers/_save", data={
        **GOOD, "minimum_cents": "€150", "cap_cents": "1.500,50", "categories": "furniture\r\n lamps ",
        "excluded_categories": "outlet", "budget_cents": "15,000", "limit_total": "1,500", "valid_until":
        "2026-12-24T18:00", "prefix": "sfa2"})
    assert (answer.status_code, answer.location) == (303, "/offers/ten-percent")
    with database.reading() as session:
        offer = offer_by_key(session, "ten-percent")
        assert (offer.percent_bp, offer.minimum_cents, offer.cap_cents, offer.budget_cents, offer.limit_total) == (
            1000, 15_000, 150_050, 1_500_000, 1500)
        assert (offer.categories, offer.excluded_categories) == (["furniture", "lamps"], ["outlet"])
        assert offer.prefix == "SFA2"
        assert offer.valid_until is not None
        assert offer.valid_until.isoformat() == "2026-12-24T18:00:00+00:00"
        assert session.query(AuditEntry).filter_by(verb="offer.saved").count() == 1
    page = marketer.get(answer.location).text
    assert "“10 % off furniture” is saved." in page
    again = marketer.post("/offers/_save", data={
        **GOOD, "was": "ten-percent", "seen": seen(page), "minimum_cents": "150", "cap_cents": "1500.50",
        "categories": "furniture\nlamps", "excluded_categories": "outlet", "active": ""})
    assert again.status_code == 303
    with database.reading() as session:
        assert not offer_by_key(session, "ten-percent").active


def test_the_example_says_what_a_basket_pays(marketer: FlaskClient) -> None:
    assert "A €129.90 basket pays €116.91." in marketer.post("/offers/_example", data=GOOD).text
    text = marketer.post("/offers/_example", data={**GOOD, "minimum_cents": "200", "cap_cents": "30"}).text
    assert "A €129.90 basket pays €129.90, below the minimum." in text
    assert "A €200.00 basket pays €180.00." in text
    assert "A €600.00 basket pays €570.00." in text
    fixed = marketer.post("/offers/_example", data={**GOOD, "kind": "fixed", "amount_cents": "15"}).text
    assert "A €129.90 basket pays €114.90." in fixed
    assert "an example basket stands here" in marketer.post("/offers/_example", data={**GOOD, "percent": "ten"}).text


def test_the_example_shows_the_discount_line_by_line_and_what_every_kind_pays(marketer: FlaskClient) -> None:
    text = marketer.post("/offers/_example", data=GOOD).text
    for cells in (("1 × goods it covers", "€89.94", "€8.99", "€80.95"), ("2 × goods it covers", "€39.96", "€4.00")):
        assert "".join(f'<td class="num">{cell}</td>' if cell[0] == "€" else f"<td>{cell}</td>"
                       for cell in cells) in text
    price = marketer.post("/offers/_example", data={**GOOD, "kind": "fixed_price", "price_cents": "99"}).text
    assert "A €129.90 basket pays €99.00." in price
    gift = marketer.post("/offers/_example", data={**GOOD, "kind": "free_item", "free_skus": "PILLOW"}).text
    assert "A €149.90 basket pays €129.90." in gift
    freight = marketer.post("/offers/_example", data={**GOOD, "kind": "free_shipping"}).text
    assert "A €129.90 basket pays €129.90 and €4.90 less for shipping." in freight
    assert "Der Versand ist kostenlos." in freight
    half = marketer.post("/offers/_example", data={**GOOD, "from_time": "18:0"}).text
    assert "A €129.90 basket pays €116.91." in half
    assert "conditions are written" not in half


def test_every_rule_can_be_typed_and_comes_back_in_the_form(marketer: FlaskClient, database: Database) -> None:
    typed = {**GOOD, "kind": "free_item", "free_skus": "P-1\nP-2", "free_items": "2", "brands": "Kolm", "skus": "S-1",
             "excluded_brands": "Noname", "excluded_skus": "S-9", "excludes_sale": "yes", "first_order_only": "yes",
             "minimum_cents": "50", "minimum_items": "3", "return_rule": "reverse", "combines": "classes",
             "combines_with": "freight", "offer_class": "goods", "holder": "enforce", "customer_is": "email",
             "limit_per_customer": "2", "customer_period": "month", "limit_per_day": "10", "limit_per_week": "20",
             "limit_per_month": "30", "budget_per_day_cents": "100", "budget_per_week_cents": "200",
             "budget_per_month_cents": "300", "zone": "Europe/Berlin", "weekday_6": "yes", "weekday_7": "yes",
             "from_time": "18:00", "until_time": "02:00", "valid_until": "2026-12-24T18:00"}
    assert marketer.post("/offers/_save", data=typed).status_code == 303
    with database.reading() as session:
        offer = offer_by_key(session, "ten-percent")
        assert (offer.free_skus, offer.free_items, offer.percent_bp) == (["P-1", "P-2"], 2, None)
        assert (offer.weekdays, offer.from_minute, offer.until_minute) == ([6, 7], 1080, 120)
        assert (offer.customer_period, offer.limit_per_week, offer.budget_per_month_cents) == ("month", 20, 30_000)
        assert offer.valid_until is not None and offer.valid_until.isoformat() == "2026-12-24T17:00:00+00:00"
        shown = form_of(offer).texts
    again = {name: shown[name].replace("\r", "") for name in typed if name in shown and name != "percent"}
    wanted = {name: text for name, text in typed.items() if name in again}
    money = {name: written_cents(read_cents(typed[name], currency="EUR"), currency="EUR")
             for name in typed if name.endswith("_cents")}
    assert again == {**wanted, **money}
    page = marketer.get("/offers/ten-percent").text
    assert "Can be used only on Saturdays and Sundays from 18:00 to 02:00 on the next day" in page
    same = marketer.post("/offers/_save", data={**typed, "was": "ten-percent", "seen": seen(page), "name": "Renamed"})
    assert same.status_code == 303


BASKET = {"what": "ten-percent", "currency": "EUR", "sku_1": "SOFA-1", "category_1": "furniture", "quantity_1": "1",
          "price_1": "500", "sku_2": "LAMP-1", "category_2": "lighting", "quantity_2": "2", "price_2": "40"}


def test_the_simulator_says_what_a_basket_gets_and_changes_nothing(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    offer = make_offer(database, now=now, categories=["furniture"], limit_total=1)
    code = make_codes(database, offer, [1], now=now)[0].code
    assert "Name an offer or a code" in marketer.get("/offers/_simulator").text
    for what in ("ten-percent", " ten  PERCENT", grouped(code)):
        page = marketer.get("/offers/_simulator", query_string={**BASKET, "what": what}).text
        assert "Yes: €50.00 off, €530.00 to pay." in page
    with database.reading() as session:
        assert offer_by_key(session, "ten-percent").used == 0
        assert find_code(session, code, now=now)["used"] == 0
    use(database, ask(code), now=now)
    assert "already_redeemed" in marketer.get("/offers/_simulator", query_string={**BASKET, "what": code}).text
    assert "limit_reached" in marketer.get("/offers/_simulator", query_string=BASKET).text
    assert 'value="Ten percent"' in marketer.get("/offers/_simulator").text
    make_offer(database, now=now, key="ten-again")
    page = marketer.get("/offers/_simulator", query_string={**BASKET, "what": "Ten percent"}).text
    assert "Write the key of one: ten-again, ten-percent." in page
    assert 'value="ten-again"' in page and 'value="ten-percent"' in page


@pytest.mark.deeper
def test_the_simulator_names_every_rule_that_speaks_against_a_basket(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    make_offer(database, now=now, minimum_cents=60_000, categories=["garden"], weekdays=[2], first_order_only=True,
               valid_days=14)
    code = make_codes(database, make_offer(database, now=now, key="plain", valid_days=14), [1], now=now)[0].code
    page = html.unescape(marketer.get("/offers/_simulator", query_string=BASKET).text)
    for sentence in ("On this weekday the offer does not hold.", "not_yet_valid", "Nobody is named",
                     "The order comes to €580.00; the offer asks for €600.00.", "Nothing in the basket is covered"):
        assert sentence in page
    late = {**BASKET, "what": code, "at": "2026-06-01T10:00"}
    assert "The validity of this code has ended." in marketer.get("/offers/_simulator", query_string=late).text
    wrong = marketer.get("/offers/_simulator", query_string={**BASKET, "what": "none", "price_1": "9"}).text
    assert "There is no such offer and no such code" in wrong
    for field, text in hostile("price_1", "quantity_1", "total", "shipping", "at", "customer", "currency", "sku_1",
                               "what", "sku_1"):
        answer = marketer.get("/offers/_simulator", query_string={**BASKET, field: text})
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text


@pytest.mark.parametrize(("field", "text", "said"), [
    ("from_time", "25:00", "time of day"), ("from_time", "18:00", "beginning and an end"),
    ("zone", "Mars", "time zone"), ("return_rule", "reverse", "no minimum"),
    ("combines", "classes", "at least one class"),
    ("offer_class", "ÖL", "small letters"), ("limit_per_day", "-1", "whole number"), ("skus", "x" * 101, "1 to 100"),
    ("kind", "free_item", "at least one product"), ("kind", "fixed_price", "how much"),
    ("percent", "ten", "Write a number"), ("percent", "0", "above 0"), ("percent", "", "above 0"),
    ("minimum_cents", "1.500", "Write a number"), ("budget_cents", "-5", "amount above 0"),
    ("limit_total", "2.5", "whole number"), ("valid_days", "99999", "from 1 to 3650"),
    ("valid_until", "tomorrow", "Choose a day"), ("currency", "Euro", "three capital letters"),
    ("key", "No spaces", "small letters"), ("name", " ", "Give the offer a name"), ("prefix", "SOIL", "misread"),
    ("excluded_categories", "a\n" + "x" * 300, "1 to 200"), ("holder", "me", "Use enforce, flag or off"),
])
def test_a_wrong_field_says_so_beside_it_and_nothing_typed_is_lost(
    marketer: FlaskClient, field: str, text: str, said: str
) -> None:
    answer = marketer.post("/offers/_save", data={**GOOD, "categories": "kept\ntoo", field: text})
    assert answer.status_code == 422
    page = html.unescape(answer.text)
    elsewhere = {("from_time", "18:00"): "until_time", ("combines", "classes"): "combines_with",
                 ("kind", "free_item"): "free_skus", ("kind", "fixed_price"): "price_cents"}
    place = elsewhere.get((field, text), field)
    found = re.search(rf'id="{place}-error">.*?<span>(.*?)</span>', page, re.DOTALL)
    assert found
    assert said in found[1]
    assert "kept\ntoo" in page
    if text.strip() and field in ("percent", "key", "prefix", "limit_total", "from_time", "offer_class"):
        assert f'value="{text}"' in page


def test_the_second_of_two_tabs_is_told_and_may_save_over(marketer: FlaskClient, database: Database) -> None:
    marketer.post("/offers/_save", data=GOOD)
    first = seen(marketer.get("/offers/ten-percent").text)
    mine = {**GOOD, "was": "ten-percent", "seen": first}
    assert marketer.post("/offers/_save", data={**mine, "name": "Theirs"}).status_code == 303
    answer = marketer.post("/offers/_save", data={**mine, "name": "Mine"})
    assert answer.status_code == 409
    assert "Somebody saved this offer while you were working on it" in answer.text
    assert 'value="Mine"' in answer.text
    assert seen(answer.text) == first
    assert marketer.post("/offers/_save", data={**mine, "name": "Mine", "do": "save-over"}).status_code == 303
    with database.reading() as session:
        assert offer_by_key(session, "ten-percent").name == "Mine"


def test_what_codes_that_are_out_are_worth_stays_and_the_rest_may_change(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    offer = make_offer(database, now=now)
    make_codes(database, offer, [1, 2], now=now)
    page = marketer.get("/offers/ten-percent").text
    assert "2 codes are out" in page
    assert "fieldset" in page
    answer = marketer.post("/offers/_save", data={
        "was": "ten-percent", "seen": seen(page), "name": "New name", "percent": "50", "valid_days": "30",
        "limit_total": "10", "do": "save"})
    assert answer.status_code == 303
    with database.reading() as session:
        stored = offer_by_key(session, "ten-percent")
        assert (stored.name, stored.percent_bp, stored.valid_days, stored.limit_total) == ("New name", 1000, 30, 10)


@pytest.mark.deeper
def test_hostile_text_in_every_field_of_an_offer_is_never_an_error_of_ours(marketer: FlaskClient) -> None:
    for field, text in hostile(*GOOD, "amount_cents", "minimum_cents", "cap_cents", "budget_cents", "limit_total",
                               "valid_from", "categories", "seen"):
        answer = marketer.post("/offers/_save", data={**GOOD, "key": "k1", field: text})
        assert answer.status_code in (303, 404, 409, 422), (field, answer.status_code)
        assert "<script>alert" not in answer.text
        assert marketer.post("/offers/_example", data={**GOOD, field: text}).status_code in (200, 404)


def test_the_lists_show_offers_with_their_use_and_what_happened_at_the_till(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    assert "No offers yet" in marketer.get("/offers").text
    offer = make_offer(database, now=now, budget_cents=100_000)
    issued = make_codes(database, offer, [1, 2], now=now)
    use(database, ask(issued[0].code), now=now)
    use(database, ask("NOSUCHCODE", "o2"), now=now)
    page = marketer.get("/offers").text
    assert "€58.00 of €1,000" in page
    assert "unknown code" in page
    assert "Nora1" in page


def test_a_code_is_found_however_it_is_typed(marketer: FlaskClient, database: Database, now: datetime) -> None:
    issued = make_codes(database, make_offer(database, now=now), [1], now=now)[0]
    typed = " " + grouped(issued.code).lower().replace("0", "o") + " "
    assert marketer.get("/codes", query_string={"q": typed}).location == f"/codes/{issued.code}"
    page = marketer.get("/codes", query_string={"q": "not a code"}).text
    assert "There is no code" in page
    assert marketer.get("/codes/NOPE").status_code == 404
    for text in HOSTILE:
        assert marketer.get("/codes", query_string={"q": text, "state": text, "offer": text}).status_code == 200


def test_codes_are_filtered_by_state_and_offer(marketer: FlaskClient, database: Database, now: datetime) -> None:
    offer = make_offer(database, now=now, valid_days=14)
    old = make_codes(database, offer, [1], now=now - timedelta(days=20), origin="a")[0]
    new = make_codes(database, offer, [2], now=now, origin="b")[0]
    expired = marketer.get("/codes?state=expired").text
    assert grouped(old.code) in expired
    assert grouped(new.code) not in expired
    assert grouped(new.code) in marketer.get("/codes?state=issued&offer=ten-percent").text
    assert "No code fits these filters" in marketer.get("/codes?offer=other").text


def test_the_story_of_a_code_tells_issue_refusal_redemption_and_what_was_taken_back(
    marketer: FlaskClient, database: Database, now: datetime
) -> None:
    issued = make_codes(database, make_offer(database, now=now, minimum_cents=50_000), [1], now=now)[0]
    use(database, ask(issued.code, "small", total_cents=100), now=now)
    given = use(database, ask(issued.code, "big"), now=now + timedelta(hours=1))
    page = marketer.get(f"/codes/{issued.code.lower()}").text
    for words in ("Given to customer c1", "Refused: order too small", "Redeemed for order big", "discount €58.00"):
        assert words in page
    address = f"/redemptions/{given.body['id']}/rollback"
    done = marketer.post(address, follow_redirects=True).text
    assert "€58.00 taken back" in done
    assert "Taken back, order big" in done
    with database.reading() as session:
        assert find_code(session, issued.code, now=now)["state"] == "issued"
    assert marketer.post(address).status_code == 400
    assert marketer.post("/redemptions/nope/rollback").status_code == 404


def test_agents_look_at_codes_and_change_nothing(sign_in: Any, database: Database, now: datetime) -> None:
    code = make_codes(database, make_offer(database, now=now), [1], now=now)[0].code
    agent = sign_in("agent")
    assert agent.get(f"/codes/{code}").status_code == 200
    assert agent.post("/stops", data={"what": "code", "which": code}).status_code == 403
    assert agent.get(f"/stops/_new?what=code&which={code}").status_code == 403
    assert agent.post("/offers/_save", data=GOOD).status_code == 403
