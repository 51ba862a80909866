"""How a file of customers becomes people, addresses and typed attributes."""

import json

import pytest

from customers.importing import KINDS
from customers.models import Customer
from tests.customers.files import Desk, reasons

FULL = ("customer_id,email,phone,salutation,first_name,last_name,company,street,postal_code,city,country,latitude,"
        "longitude,birthday,language,timezone,preferred_channel,household_id,dunning_level,created_at\n"
        "C1,Ann.Lee@EXAMPLE.com,030 1234567,Ms,Ann,Lee,,Hauptstr. 5,10115,Berlin,de,52.5,13.4,01.05.1980,DE,"
        "Europe/Berlin,Letter,H1,0,2020-01-01\n")


def _customer(desk: Desk, number: str = "C1") -> Customer:
    from customers.people import find_customer

    with desk.database.reading() as session:
        return find_customer(session, number)


def _addresses(desk: Desk) -> dict[str, tuple[object, ...]]:
    rows = desk.rows("SELECT channel, value, lookup, postal_code, city, country FROM addresses")
    return {str(row[0]): row[1:] for row in rows}


def test_every_column_of_a_customer_is_stored_in_its_normal_form(desk: Desk) -> None:
    result = desk.load("customers", FULL)
    assert (result.imported, result.created, result.notes) == (1, 1, ())
    person = _customer(desk)
    assert (person.salutation, person.first_name, person.last_name, person.company) == ("Ms", "Ann", "Lee", None)
    assert (person.language, person.timezone, person.preferred_channel) == ("de", "Europe/Berlin", "letter")
    assert (person.household, person.dunning_level, person.attributes) == ("H1", 0, {})
    assert person.birthday_on is not None and person.birthday_on.isoformat() == "1980-05-01"
    assert person.created_at is not None and person.created_at.isoformat() == "2020-01-01T00:00:00+00:00"
    assert _addresses(desk) == {
        "email": ("Ann.Lee@example.com", "ann.lee@example.com", None, None, None),
        "phone": ("+49301234567", "+49301234567", None, None, None),
        "letter": ("Hauptstr. 5", "ann|lee|hauptstr 5|10115|de", "10115", "Berlin", "DE")}


def test_a_second_import_of_the_same_file_writes_nothing(desk: Desk) -> None:
    desk.load("customers", FULL)
    before = desk.rows("SELECT count(*) FROM changes")
    result = desk.load("customers", FULL)
    assert (result.created, result.updated) == (0, 1)
    assert desk.rows("SELECT count(*) FROM changes") == before


def test_a_column_the_file_lacks_keeps_its_values_and_an_empty_cell_clears_them(desk: Desk) -> None:
    desk.load("customers", FULL)
    desk.load("customers", "customer_id,last_name,email,city\nC1,Lee-Ray,,Potsdam\n")
    person = _customer(desk)
    assert (person.first_name, person.last_name) == ("Ann", "Lee-Ray")
    assert _addresses(desk) == {
        "phone": ("+49301234567", "+49301234567", None, None, None),
        "letter": ("Hauptstr. 5", "ann|lee ray|hauptstr 5|10115|de", "10115", "Potsdam", "DE")}


def test_a_changed_address_is_deliverable_again(desk: Desk) -> None:
    from sqlalchemy import text

    desk.load("customers", FULL)
    with desk.database.writing() as session:
        session.execute(text("UPDATE addresses SET undeliverable_at = 5"))
    desk.load("customers", "customer_id,email,phone\nC1,new@example.com,+49301234567\n")
    assert dict(desk.rows("SELECT channel, undeliverable_at FROM addresses")) == {
        "email": None, "phone": 5, "letter": 5}


def test_the_later_of_two_lines_with_one_number_counts(desk: Desk) -> None:
    result = desk.load("customers", "customer_id,first_name,city\nC1,Ann,Ulm\nC1,Bea,\nC2,Cy,Bonn\n")
    assert (result.imported, result.rejected, result.created) == (3, 0, 2)
    assert desk.rows("SELECT external_id, first_name FROM customers ORDER BY external_id") == [
        ("C1", "Bea"), ("C2", "Cy")]
    assert desk.rows("SELECT city FROM addresses") == [("Bonn",)]


@pytest.mark.parametrize(("column", "cell", "words"), [
    ("customer_id", "", "The cell is empty"), ("email", "ann@", "is not an e-mail address"),
    ("email", "a..b@example.com", "is not an e-mail address"), ("phone", "030 1234567", "needs its country"),
    ("phone", "+1 12", "is not a possible phone number"), ("phone", "call me", "needs its country"),
    ("country", "Germany", "is not a two-letter country code"), ("country", "XX", "is not a two-letter country code"),
    ("latitude", "91", "is not between -90 and 90"), ("birthday", "31.02.1980", "not a date that exists"),
    ("language", "German!", "is not a language"), ("timezone", "Berlin", "is not a time zone"),
    ("preferred_channel", "fax", "is not one of email, letter"), ("dunning_level", "-1", "is not between 0 and"),
    ("dunning_level", "1.5", "is not a whole number"), ("first_name", "x" * 201, "longer than 200 characters"),
])
def test_a_cell_that_does_not_fit_rejects_its_line_only(quick_desk: Desk, column: str, cell: str, words: str) -> None:
    names = ["customer_id"] + ([column] if column != "customer_id" else [])
    bad = {"customer_id": "C1", column: cell}
    result = quick_desk.load("customers", f"{','.join(names)},city\n{','.join(bad[name] for name in names)},Ulm\n"
                                          f"C2{',' * (len(names) - 1)},Ulm\n")
    assert (result.read, result.imported, result.rejected) == (2, 1, 1)
    assert reasons(result)[2].startswith(column) and words in reasons(result)[2]


def test_a_phone_is_read_with_the_country_of_the_file_or_the_stored_one(quick_desk: Desk) -> None:
    quick_desk.load("customers", "customer_id,country\nC1,AT\n")
    quick_desk.load("customers", "customer_id,phone\nC1,01 2345678\n")
    assert quick_desk.rows("SELECT value FROM addresses WHERE channel = 'phone'") == [("+4312345678",)]


def test_further_columns_become_typed_attributes(desk: Desk) -> None:
    result = desk.load("customers", "customer_id,points,vip,since,plate,empty\nC1,12,yes,01.02.2020,007,\n"
                                    "C2,1.5,no,2021-03-04,12,\nC3,,,,,\n")
    assert result.notes == ("Columns kept as attributes: points, vip, since, plate, empty.",)
    assert dict(desk.rows("SELECT name, kind FROM attribute_types")) == {
        "points": "number", "vip": "boolean", "since": "date", "plate": "text"}
    assert [_customer(desk, number).attributes for number in ("C1", "C2", "C3")] == [
        {"points": 12, "vip": True, "since": "2020-02-01", "plate": "007"},
        {"points": 1.5, "vip": False, "since": "2021-03-04", "plate": "12"}, {}]


def test_a_type_is_fixed_at_the_first_import_and_a_misfit_rejects_its_line(desk: Desk) -> None:
    desk.load("customers", "customer_id,points\nC1,12\n")
    result = desk.load("customers", "customer_id,points\nC1,many\nC2,3\n")
    assert reasons(result) == {2: "points: 'many' is not a number such as 1234.56."
                                  " The column is a number since its first import."}
    assert _customer(desk).attributes == {"points": 12}


def test_a_whole_first_file_decides_the_type(quick_desk: Desk) -> None:
    lines = "".join(f"C{n},{n}\n" for n in range(3000)) + "X,many\n"
    result = quick_desk.load("customers", "customer_id,points\n" + lines)
    assert result.rejected == 0 and quick_desk.rows("SELECT kind FROM attribute_types") == [("text",)]


def test_a_dry_run_fixes_no_type_and_counts_the_same(quick_desk: Desk) -> None:
    content = "customer_id,points,email\nC1,12,x\nC2,3,a@example.com\nC2,4,a@example.com\n"
    tried, done = quick_desk.load("customers", content, dry_run=True), None
    assert quick_desk.rows("SELECT count(*) FROM attribute_types") == [(0,)]
    assert quick_desk.rows("SELECT count(*) FROM customers") == [(0,)]
    done = quick_desk.load("customers", content)
    assert (tried.read, tried.imported, tried.rejected, tried.created) == (3, 2, 1, 1)
    assert (done.read, done.imported, done.rejected, done.created) == (3, 2, 1, 1)


def test_attributes_missing_from_a_later_file_stay(quick_desk: Desk) -> None:
    quick_desk.load("customers", "customer_id,points,plate\nC1,12,x\n")
    quick_desk.load("customers", "customer_id,plate\nC1,\n")
    assert quick_desk.rows("SELECT attributes FROM customers") == [(json.dumps({"points": 12}),)]


def test_an_order_before_its_customer_is_filled_in_later(desk: Desk) -> None:
    desk.load("orders", "order_id,customer_id,ordered_at,unit_price\nO1,C1,2026-01-01,1\n")
    result = desk.load("customers", "customer_id,first_name\nC1,Ann\n")
    assert (result.created, result.updated) == (0, 1)
    assert desk.rows("SELECT c.first_name FROM customers c JOIN orders o ON o.customer_id = c.id") == [("Ann",)]


def test_this_room_knows_nine_kinds() -> None:
    assert list(KINDS) == ["customers", "consents", "products", "stores", "orders", "contacts", "events", "relations",
                           "scores"]
