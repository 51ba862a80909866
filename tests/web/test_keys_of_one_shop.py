"""A key made for one shop speaks for that shop alone, by whichever way a request comes in."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from core.clock import wall_now
from core.database import Database
from core.errors import Invalid
from tests.coupons.factories import make_codes, make_customers, make_offer
from tests.web.test_api_redemptions import ORDER
from web.models import ApiKey
from web.security.keys import issue_key

WAYS = ("application/json", "application/json; way=slow")
Send = Callable[..., TestResponse]


@pytest.fixture
def send(client: FlaskClient, database: Database) -> Send:
    """Sends as the program whose key is named: of the shop "one", of "two", or of the house."""
    now = wall_now()
    with database.writing() as session:
        keys = {shop: issue_key(session, shop or "house", scopes=["redemptions"], shop=shop, now=now)
                for shop in ("one", "two", None)}

    def post(key: str | None, path: str, body: Any, way: str = WAYS[1], method: str = "POST") -> TestResponse:
        return client.open(f"/api/v1/{path}", method=method, data=json.dumps(body), content_type=way, headers={
            "Authorization": f"Bearer {keys[key]}", "Idempotency-Key": f"{key} {way} {json.dumps(body)}"[:255]})

    return post


@pytest.fixture
def codes(database: Database) -> dict[str, list[str]]:
    """Codes of an offer that both shops know, and of one of the second shop's own."""
    now = wall_now() - timedelta(days=1)
    people = make_customers(database, 6, now=now)
    both, theirs = make_offer(database, now=now), make_offer(database, key="theirs", now=now, shops=["two"])
    return {name: [each.code for each in make_codes(database, offer, people, now=now)]
            for name, offer in (("both", both), ("theirs", theirs))}


def body(code: str, order: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "order": {**ORDER, "id": order}, **more}


@pytest.mark.parametrize("way", WAYS)
def test_it_redeems_for_its_shop_named_or_not_and_for_no_other(
    send: Send, codes: dict[str, list[str]], way: str
) -> None:
    both, theirs = codes["both"], codes["theirs"]
    for order, named in (("o1", {}), ("o2", {"shop": None}), ("o3", {"shop": "one"})):
        taken = send("one", "redemptions", body(both.pop(), order, **named), way)
        assert (taken.status_code, taken.json["shop"]) == (201, "one")  # type: ignore[index]
    refused = send("one", "redemptions", body(both[0], "o4", shop="two"), way)
    assert (refused.status_code, refused.json["reason"]) == (403, "forbidden")  # type: ignore[index]
    assert "for the shop one alone" in refused.json["detail"]  # type: ignore[index]
    assert send(None, "redemptions", body(both[0], "o4", shop="two"), way).status_code == 201
    # A code of the other shop's and one that nobody made are told alike.
    unknown = [send("one", "redemptions", body(code, "o5", **named), way)
               for code in (theirs[0], "NOBODYS") for named in ({}, {"shop": "one"})]
    assert {answer.status_code for answer in unknown} == {422}
    assert len({answer.data for answer in unknown}) == 1 and unknown[0].json["reason"] == "unknown_code"  # type: ignore[index]
    assert send("two", "redemptions", body(theirs[0], "o5"), way).status_code == 201


def test_what_another_shop_redeemed_or_holds_is_not_there_for_it(send: Send, codes: dict[str, list[str]]) -> None:
    code, other = codes["both"][:2]
    assert send("one", f"coupons/{code}/validate", body(code, "o1", shop="two")).status_code == 403
    assert send("one", f"coupons/{code}/reservations", body(code, "o1", shop="two")).status_code == 403
    theirs = codes["theirs"][0]
    seen = [send("one", f"coupons/{each}/validate", {"order": ORDER}) for each in (theirs, "NOBODYS")]
    assert seen[0].data == seen[1].data and seen[0].json["reason"] == "unknown_code"  # type: ignore[index]
    held = send("two", f"coupons/{code}/reservations", {"order": ORDER}).json["id"]  # type: ignore[index]
    assert send("one", f"reservations/{held}", {}, method="DELETE").status_code == 404
    assert send("two", f"reservations/{held}", {}, method="DELETE").json["state"] == "released"  # type: ignore[index]
    used = send("two", "redemptions", body(other, "o2")).json["id"]  # type: ignore[index]
    assert send("one", f"redemptions/{used}/rollback", {}).status_code == 404
    assert send("two", f"redemptions/{used}/rollback", {}).json["state"] == "rolled_back"  # type: ignore[index]


def test_it_may_redeem_and_nothing_else(sqlite_database: Database) -> None:
    with sqlite_database.writing() as session:
        for scopes in (["read"], ["redemptions", "write"], []):
            with pytest.raises(Invalid) as refused:
                issue_key(session, "till", scopes=scopes, shop="one", now=wall_now())
            assert refused.value.place == "scope"
        for shop in ("", "a" * 101, "a\nb"):
            with pytest.raises(Invalid) as refused:
                issue_key(session, "till", scopes=["redemptions"], shop=shop, now=wall_now())
            assert refused.value.place == "shop"
        assert session.scalars(select(ApiKey.id)).all() == []
