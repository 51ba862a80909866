"""Who may do what on the pages of coupons and shops: every address, every role, without a login, without a token."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

ALL = frozenset({"admin", "marketer", "agent", "analyst"})
CHANGERS = frozenset({"admin", "marketer"})
ADMINS = frozenset({"admin"})
CALLERS = frozenset({"admin", "marketer", "agent"})
ROOMS = ("offers", "pools", "stops", "inbox", "shops", "leaks", "redemptions", "simulator", "codes", "desk",
         "code_pictures")
DOORS: dict[tuple[str, str], tuple[str, frozenset[str]]] = {
    ("offers.index", "GET"): ("/offers", ALL),
    ("offers.new", "GET"): ("/offers/_new", CHANGERS),
    ("offers.show", "GET"): ("/offers/none", ALL),
    ("offers.save", "POST"): ("/offers/_save", CHANGERS),
    ("offers.delete", "POST"): ("/offers/none/delete", CHANGERS),
    ("offers.example", "POST"): ("/offers/_example", ALL),
    ("pools.index", "GET"): ("/pools", ALL),
    ("pools.show", "GET"): ("/pools/1", ALL),
    ("pools.change", "POST"): ("/pools/generate", CHANGERS),
    ("pools.download", "GET"): ("/pools/1.csv", ALL),
    ("stops.new", "GET"): ("/stops/_new?what=code&which=NONE", CHANGERS),
    ("stops.make", "POST"): ("/stops", CHANGERS),
    ("stops.release", "POST"): ("/stops/1/release", CHANGERS),
    ("inbox.index", "GET"): ("/inbox", ALL),
    ("inbox.show", "GET"): ("/inbox/1", ALL),
    ("inbox.replay", "POST"): ("/inbox/1/replay", CHANGERS),
    ("inbox.replay_failed", "POST"): ("/inbox/_replay-failed", CHANGERS),
    ("shops.index", "GET"): ("/shops", ALL),
    ("shops.new", "GET"): ("/shops/_new", ADMINS),
    ("shops.create", "POST"): ("/shops/_new", ADMINS),
    ("shops.show", "GET"): ("/shops/none", ALL),
    ("shops.edit", "POST"): ("/shops/none", ADMINS),
    ("shops.rotate", "POST"): ("/shops/none/rotate", ADMINS),
    ("shops.app_file", "GET"): ("/shops/none/app.zip", ADMINS),
    ("shops.change", "POST"): ("/shops/none/end", ADMINS),
    ("shops.test", "POST"): ("/shops/none/test", CHANGERS),
    ("leaks.index", "GET"): ("/leaks", ALL),
    ("leaks.seen", "POST"): ("/leaks/_seen", CHANGERS),
    ("redemptions.index", "GET"): ("/redemptions", ALL),
    ("redemptions.newest", "GET"): ("/redemptions/_newest", ALL),
    ("simulator.show", "GET"): ("/offers/_simulator", ALL),
    ("codes.index", "GET"): ("/codes", ALL),
    ("codes.show", "GET"): ("/codes/NONE", ALL),
    ("codes.rollback", "POST"): ("/redemptions/none/rollback", CHANGERS),
    ("code_pictures.qr", "GET"): ("/codes/NONE/qr.svg", ALL),
    ("code_pictures.poster", "GET"): ("/codes/NONE/poster-en.pdf", ALL),
    ("desk.index", "GET"): ("/calls/orders", CALLERS),
    ("desk.act", "POST"): ("/calls/orders", CALLERS),
}


def test_the_list_names_every_address(app: Flask) -> None:
    served = {(rule.endpoint, method) for rule in app.url_map.iter_rules() if rule.endpoint.partition(".")[0] in ROOMS
              for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert served == set(DOORS)


@pytest.mark.sqlite_first
def test_each_role_comes_where_it_may_and_nowhere_else(sign_in: Callable[..., FlaskClient]) -> None:
    for role in sorted(ALL):
        browser = sign_in(role)
        let_in = {door for door, (path, _roles) in DOORS.items()
                  if browser.open(path, method=door[1]).status_code != 403}
        assert let_in == {door for door, (_path, roles) in DOORS.items() if role in roles}, role


def test_without_a_login_every_one_of_them_asks_for_it(client: FlaskClient) -> None:
    for (_endpoint, method), (path, _roles) in DOORS.items():
        answer = client.open(path, method=method)
        assert (answer.status_code, answer.headers["Location"][:6]) == (302, "/login"), path


def test_without_its_token_no_form_of_them_changes_anything(app: Flask, sign_in: Callable[..., FlaskClient]) -> None:
    browser = sign_in("admin")
    app.config["WTF_CSRF_ENABLED"] = True
    for (_endpoint, method), (path, _roles) in DOORS.items():
        if method == "POST":
            answer = browser.post(path)
            assert answer.status_code == 400 and "Reload the page" in answer.get_data(as_text=True), path
