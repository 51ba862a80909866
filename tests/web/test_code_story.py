"""The story of one code tells everything that happened to it, and its pictures lead where it works."""

import io
from datetime import datetime, timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import update

from core.clock import stand_at
from core.codes import grouped
from core.database import Database
from coupons.codes.pools import add_public_codes, import_pool
from coupons.models import Code
from coupons.till.desk import renew_code
from coupons.till.reserving import deciding, reserve
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use
from tests.web.shops import connect, iso, order
from tests.web.test_campaign_pages import words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def stand(database: Database, now: datetime) -> None:
    """The installation's clock stands at `now`."""
    with database.writing() as session:
        stand_at(session.connection(), now)


def test_a_code_that_had_everything_happen_to_it(
    app: Flask, database: Database, marketer: FlaskClient, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, valid_days=14, holder="flag")
    code = make_codes(database, offer, [1], now=now)[0].code
    shop = connect(app, database, now=now, shop="sofas")
    deciding(database, lambda connection: reserve(connection, ask(code, "b1", shop="sofas"), ttl_seconds=60, now=now),
             now=now)
    late = now + timedelta(days=20)
    use(database, ask(code, "late", shop="sofas"), now=late)
    with database.writing() as session:
        renew_code(session, code, agent="Ada", reason="the letter was late", days=7, now=late)
    bought = late + timedelta(hours=1)
    told = order(bought, id="S-1", status="paid", coupons=[{"code": code, "discount_cents": 5_800}],
                 customer={"external_id": "c9"})
    shop.tell(told)
    shop.work(bought)
    lines = [{**told["lines"][0], "returned_quantity": 1}, told["lines"][1]]
    back = bought + timedelta(days=3)
    shop.tell({**told, "modified_at": iso(back), "lines": lines, "delivered_at": iso(bought + timedelta(days=1)),
               "returned_at": iso(back)}, "order.refunded")
    shop.work(back)
    with database.writing() as session:
        stand_at(session.connection(), back)
    page = words(marketer.get(f"/codes/{code}").text)
    for part in ("Given to customer c1", "Reserved for order b1 at sofas", "Refused: code expired", "Renewed by Ada",
                 "The letter was late", "Redeemed for order S-1 at sofas", "the order told of it", "not by its holder",
                 "Order S-1 at sofas", "status “paid”", "Delivered, order S-1", "Sent back, order S-1",
                 "1 of 2 lines", "Taken back, order S-1", "A part of the discount"):
        assert part in page, part
    places = [page.index(part) for part in ("Sent back", "Delivered,", "Redeemed for", "Renewed by", "Given to")]
    assert places == sorted(places)  # newest first


def test_a_code_of_a_pool_begins_in_stock(database: Database, marketer: FlaskClient, now: datetime) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, code_source="pool")
    import_pool(database, offer.key, enumerate(["SAVE0001", "SAVE0002"]), name="Printer", now=now - timedelta(days=9),
                reject=lambda *_line: None)
    given = make_codes(database, offer, [1], now=now)[0].code
    page = words(marketer.get(f"/codes/{given}").text)
    assert page.index("Given to customer c1") < page.index("Put into stock") and "a file" in page
    waiting = words(marketer.get("/codes/SAVE0002").text)
    assert "Put into stock" in waiting and "Given to" not in waiting
    batch = words(marketer.get("/pools/1").text)
    assert "Stop this batch" in batch and "in stock" in batch and grouped(given) in batch
    assert marketer.get("/pools/2").status_code == 404


def test_the_square_opens_the_basket_of_the_shop_that_is_asked_for(
    app: Flask, database: Database, marketer: FlaskClient, now: datetime
) -> None:
    code = make_codes(database, make_offer(database, now=now), make_customers(database, 1, now=now), now=now)[0].code
    assert "holds the code itself" in words(marketer.get(f"/codes/{code}").text)
    connect(app, database, now=now, shop="a")
    other = connect(app, database, now=now, shop="b", kind="woocommerce")
    assert f"https://shop.example/cart?code={code}" in marketer.get(f"/codes/{code}").text
    page = unescape(marketer.get(f"/codes/{code}?shop={other.public_id}").text)
    assert f"https://shop.example/?coupon={code}" in page and f"shop={other.public_id}" in page
    svg, png = (marketer.get(f"/codes/{code}/qr.{form}?shop={other.public_id}&save=1") for form in ("svg", "png"))
    assert svg.mimetype == "image/svg+xml" and svg.headers["Cache-Control"] == "no-store"
    assert png.data.startswith(b"\x89PNG") and f"code-{code}.png" in png.headers["Content-Disposition"]
    assert marketer.get("/codes/NOPE/qr.svg").status_code == 404
    assert marketer.get(f"/codes/{code}/poster-en.pdf").status_code == 409
    assert marketer.get(f"/codes/{code}/qr.svg?shop=\x00<b>").status_code == 200


def test_public_codes_have_posters_in_two_languages(database: Database, marketer: FlaskClient, now: datetime) -> None:
    offer = make_offer(database, now=now)
    with database.writing() as session:
        add_public_codes(session, offer.key, [("SUMMER-ULM", "Ulm"), ("SUMMER-BONN", "<b>Bonn</b>")], name="Posters",
                         uses=None, now=now)
        session.execute(update(Code).where(Code.region == "Ulm").values(used=3))
    page = marketer.get("/pools/1").text
    assert "used 3 times" in words(page) and "<b>Bonn" not in page and page.count("qr.svg") >= 2
    assert "Opened for everybody" in words(marketer.get("/codes/SUMMERU1M").text)
    for language, said in (("en", "With the code"), ("de", "Mit dem Code")):
        answer = marketer.get(f"/codes/SUMMERU1M/poster-{language}.pdf")
        text = PdfReader(io.BytesIO(answer.data)).pages[0].extract_text()
        assert said in text and "SUMMER-ULM" in text and "Ulm" in text
    assert marketer.get("/codes/SUMMERU1M/poster-fr.pdf").status_code == 404
    typed = marketer.get("/codes/SUMMERU1M/poster-en.pdf?as=summer-ulm")
    assert "summer-ulm" in PdfReader(io.BytesIO(typed.data)).pages[0].extract_text()
    other = marketer.get("/codes/SUMMERU1M/poster-en.pdf?as=WINTER-ULM")
    assert other.status_code == 400 and "would be read as another code" in other.text
