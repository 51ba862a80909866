"""What an export shows and what an erasure leaves."""

import json
from datetime import datetime

import pytest
from sqlalchemy import text

from core.database import Database
from core.errors import Invalid, NotFound
from customers.consents import object_to
from customers.forgetting import export_customer, forget_customer
from customers.importing import import_file
from customers.people import find_customer
from customers.suppression import suppressed
from tests.customers.files import SECRET, Desk, reasons

PERSON = ("customer_id,email,phone,first_name,last_name,street,city,country,birthday,household_id,hobby\n"
          "C1,ann@example.com,+49301234567,Ann,Lee,Weg 1,Bonn,DE,1980-05-01,H1,chess\n")
ORDER = "order_id,customer_id,ordered_at,sku,unit_price\nO1,C1,2026-01-01,chair,10\n"
CONTACT = "contact_id,customer_id,at,kind,direction,subject,text\n" \
          "K1,C1,2026-01-02,complaint,in,Ann is late,secret words\n"
CONSENT = "customer_id,channel,state,basis,at,source,proof\nC1,email,granted,consent,2025-01-01,form,ip 1.2.3.4\n"


def _fill(desk: Desk) -> None:
    for kind, content in (("customers", PERSON), ("orders", ORDER), ("contacts", CONTACT), ("consents", CONSENT)):
        desk.load(kind, content)


def _forget(desk: Desk, now: datetime) -> None:
    with desk.database.writing() as session:
        forget_customer(session, "C1", secret_key=SECRET, now=now)


def _everything(desk: Desk) -> str:
    tables = ("customers", "addresses", "consents", "contacts", "orders", "order_lines", "suppressions")
    return json.dumps([desk.rows(f"SELECT * FROM {table}") for table in tables], default=str)


def test_an_export_holds_everything_of_the_person(desk: Desk) -> None:
    _fill(desk)
    with desk.database.reading() as session:
        answer = export_customer(session, "C1", sections={"messages": lambda _session, key: [key > 0]})
    json.dumps(answer)
    assert answer["customer"]["first_name"] == "Ann" and answer["customer"]["attributes"] == {"hobby": "chess"}
    assert [row["value"] for row in answer["addresses"]] == ["ann@example.com", "Weg 1", "+49301234567"]
    assert answer["consents"][0]["proof"] == "ip 1.2.3.4" and answer["contacts"][0]["text"] == "secret words"
    assert answer["orders"][0]["lines"][0]["sku"] == "chair" and answer["orders"][0]["total_cents"] == 1000
    assert answer["orders"][0]["ordered_at"] == "2026-01-01T00:00:00+00:00" and answer["messages"] == [True]


def test_nothing_personal_is_left_and_the_orders_stay(desk: Desk, now: datetime) -> None:
    _fill(desk)
    _forget(desk, now)
    left = _everything(desk)
    for word in ("C1", "Ann", "ann", "Lee", "lee", "Weg", "Bonn", "1234567", "1980", "H1", "chess", "secret",
                 "1.2.3.4"):
        assert f'"{word}' not in left and (len(word) < 4 or word not in left), word
    assert desk.rows("SELECT total_cents FROM orders") == [(1000,)]
    assert desk.rows("SELECT sku FROM order_lines") == [("chair",)]
    assert desk.rows("SELECT forgotten_at IS NOT NULL FROM customers") == [(True,)]


def test_blocked_addresses_stay_blocked_for_whoever_comes_with_them(desk: Desk, now: datetime) -> None:
    _fill(desk)
    with desk.database.writing() as session:
        object_to(session, find_customer(session, "C1").id, channel="email", source=None, now=now, secret_key=SECRET)
    _forget(desk, now)
    desk.load("customers", PERSON.replace("C1", "C2").replace("ann@", "ANN@"))
    with desk.database.reading() as session:
        again = find_customer(session, "C2").id
        for channel in ("email", "phone", "sms", "letter"):
            assert suppressed(session.connection(), [again], channel=channel, secret_key=SECRET) == [True], channel
    assert dict(desk.rows("SELECT channel, reason FROM suppressions"))["email"] == "objected"


def test_an_import_never_brings_a_forgotten_person_back(desk: Desk, now: datetime) -> None:
    _fill(desk)
    _forget(desk, now)
    result = desk.load("customers", PERSON)
    assert reasons(result) == {2: "Customer C1 asked to be forgotten and is not imported again."}
    desk.load("orders", ORDER.replace("10\n", "12\n") + "O2,C1,2026-02-01,bed,5\n")
    assert desk.rows("SELECT count(*), count(first_name) FROM customers") == [(1, 0)]
    assert desk.rows("SELECT count(DISTINCT customer_id), sum(total_cents) FROM orders") == [(1, 1700)]


def test_an_old_file_does_not_bring_back_what_a_forgotten_person_wrote(desk: Desk, now: datetime) -> None:
    _fill(desk)
    _forget(desk, now)
    result = desk.load("contacts", "contact_id,customer_id,at,kind,direction,text\nK9,C1,2026-02-01,call,in,I am ill\n")
    assert reasons(result) == {2: "Customer C1 asked to be forgotten and is not imported again."}
    assert "ill" not in _everything(desk)


def test_an_import_without_the_key_refuses_once_somebody_was_forgotten(desk: Desk, now: datetime) -> None:
    _fill(desk)
    _forget(desk, now)
    with pytest.raises(Invalid, match="needs the secret key"):
        import_file(desk.database, "customers", desk.path(PERSON), now=now)


def test_forgetting_twice_is_harmless_and_an_unknown_number_is_named(desk: Desk, now: datetime) -> None:
    _fill(desk)
    _forget(desk, now)
    before = _everything(desk)
    _forget(desk, now)
    assert _everything(desk) == before
    with desk.database.writing() as session, pytest.raises(NotFound, match="'C9'"):
        forget_customer(session, "C9", secret_key=SECRET, now=now)


def test_higher_rooms_erase_theirs_in_the_same_transaction(sqlite_database: Database, quick_desk: Desk,
                                                           now: datetime) -> None:
    _fill(quick_desk)
    seen: list[int] = []

    def refuse(_session: object, customer_id: int) -> None:
        seen.append(customer_id)
        raise RuntimeError("not now")

    with pytest.raises(RuntimeError), quick_desk.database.writing() as session:
        forget_customer(session, "C1", secret_key=SECRET, now=now, erasers=[refuse])
    assert len(seen) == 1
    with sqlite_database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM addresses")).scalar_one() == 3
