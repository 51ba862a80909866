"""The page, the resource and the command of code pools."""

import io
import re
from collections.abc import Callable
from datetime import timedelta

from flask.testing import FlaskClient
from sqlalchemy import select

from core.clock import wall_now
from core.database import Database
from coupons.models import Offer
from tests.coupons.factories import make_offer

Keys = Callable[..., dict[str, str]]
SignIn = Callable[..., FlaskClient]


def test_a_pool_is_filled_over_http_and_what_cannot_be_taken_is_named(
    client: FlaskClient, api_key: Keys, database: Database
) -> None:
    make_offer(database, now=wall_now() - timedelta(days=1))
    headers = api_key("read", "write")
    body = {"offer": "ten-percent", "codes": ["SAVE-0001", "save0001", "?"]}
    made = client.post("/api/v1/pools", json=body, headers=headers)
    assert made.json is not None and made.status_code == 201
    assert (made.json["codes"], made.json["stock"]) == (1, 1)
    assert [line["line"] for line in made.json["rejected_lines"]] == [2, 3]
    again = client.post("/api/v1/pools", json=body, headers=headers)
    assert again.json is not None and (again.status_code, again.json["id"], again.json["codes"]) == (200, None, 0)
    assert len(again.json["rejected_lines"]) == 3
    drawn = client.post("/api/v1/pools", json={"offer": "ten-percent", "count": 5}, headers=headers)
    assert drawn.json is not None and drawn.json["stock"] == 5
    for wrong in ({"offer": "ten-percent"}, {**body, "count": 5}, {"offer": "ten-percent", "count": 0}):
        assert client.post("/api/v1/pools", json=wrong, headers=headers).status_code == 400
    assert client.post("/api/v1/pools", json={"offer": "none", "count": 5}, headers=headers).status_code == 404
    listed = client.get("/api/v1/pools", headers=headers).json
    assert listed is not None and [pool["kind"] for pool in listed["items"]] == ["imported", "generated"]
    codes = client.get("/api/v1/codes?state=stock", headers=headers).json
    assert codes is not None and len(codes["items"]) == 6


def test_a_marketer_fills_a_pool_opens_public_codes_and_says_when_to_warn(
    sign_in: SignIn, database: Database
) -> None:
    make_offer(database, now=wall_now() - timedelta(days=1))
    page = sign_in()
    assert "No pool has been filled" in page.get("/pools").text
    wrong = page.post("/pools/generate", data={"offer": "ten-percent", "count": "many"})
    assert wrong.status_code == 422 and "Say how many" in wrong.text
    sent = {"offer": "ten-percent", "file": (io.BytesIO(b"code\nSAVE0001\nSAVE0002,x\n"), "codes.csv")}
    assert page.post("/pools/import", data=sent).status_code == 303
    assert page.post("/pools/public", data={"offer": "ten-percent", "codes": "SUMMER-ULM = Ulm"}).status_code == 303
    saved = page.post("/pools/source", data={"offer": "ten-percent", "source": "pool_first", "low_stock": "3"})
    assert saved.status_code == 303
    junk = page.post("/pools/import", data={"offer": "ten-percent", "file": (io.BytesIO(b"\x89PNG\x00\n?\n"), "a.png")})
    assert junk.status_code == 422 and "No code was taken from a.png. Line 1" in junk.text
    some = page.post("/pools/import", data={
        "offer": "ten-percent", "file": (io.BytesIO(b"SAVE0003\nSAVE0001\n<b>?\n"), "more.csv")})
    assert some.status_code == 200 and "there is such a code already" in some.text and "<b>?" not in some.text
    text = page.get("/pools").text
    assert "codes.csv" in text and "public" in text
    assert "3 codes are left in the pool" in page.get("/").text
    assert page.get("/pools/2.csv").text == "code,state,region,used\nSUMMER-ULM,issued,Ulm,0\n"
    page.post("/pools/public", data={"offer": "ten-percent", "codes": "BONN2026 = \uff1d1+1"})
    newest = max(int(number) for number in re.findall(r"/pools/(\d+)", page.get("/pools").text))
    assert page.get(f"/pools/{newest}.csv").text.endswith("\nBONN2026,issued,'\uff1d1+1,0\n")
    assert ">SUMMER-ULM</a>" in page.get("/pools/2").text and ">SUMMER-ULM</a>" in page.get("/codes").text
    assert "in stock" in page.get("/codes").text


def test_a_number_that_no_database_holds_is_not_found(sign_in: SignIn) -> None:
    page, number = sign_in(), "9" * 40
    for address in (f"/pools/{number}", f"/pools/{number}.csv", f"/inbox/{number}", f"/calls/{number}"):
        assert page.get(address).status_code == 404, address
    for address in (f"/codes?after={number}", f"/pools/1?after={number}", f"/inbox?before={number}"):
        assert page.get(address).status_code == 400, address


def test_a_file_without_a_code_changes_neither_the_offer_nor_the_list(sign_in: SignIn, database: Database) -> None:
    make_offer(database, now=wall_now() - timedelta(days=1))
    page = sign_in()
    assert page.post("/pools/import", data={
        "offer": "ten-percent", "file": (io.BytesIO(b"?\n"), "x.csv")}).status_code == 422
    assert page.post("/pools/generate", data={"offer": "none", "count": "5"}).status_code == 422
    assert "No pool has been filled" in page.get("/pools").text
    with database.reading() as session:
        assert session.scalars(select(Offer.code_source)).all() == ["generated"]  # people still get their codes
