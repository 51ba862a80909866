"""Finding people, and what their page shows."""

from datetime import datetime

import pytest

from core.errors import Invalid, NotFound
from customers.contacts import record_contact
from customers.people import (
    address_of,
    customer_facts,
    display_name,
    find_customer,
    refresh_search,
    search_customers,
)
from tests.customers.files import Desk

PEOPLE = ("customer_id,email,phone,first_name,last_name,company,street,city,country\n"
          "4711,ann@example.com,+49301234567,Ann,MÜLLER,,Weg 1,Köln,DE\n"
          "4712,bo@example.org,,Bo,Maier,,,Ulm,DE\n4713,,,,,Holz 100% GmbH,,Ulm,DE\n")


def _found(desk: Desk, text: str) -> list[str]:
    with desk.database.reading() as session:
        return [customer.external_id for customer in search_customers(session, text).items]


@pytest.mark.parametrize(("text", "numbers"), [
    ("4711", ["4711"]), ("müller", ["4711"]), ("ANN MÜL", ["4711"]), ("ann@example.com", ["4711"]),
    ("köln", ["4711"]), ("ulm", ["4712", "4713"]), ("0301234567", ["4711"]), ("030 123 45 67", ["4711"]),
    ("+49 30 1234567", ["4711"]), ("100%", ["4713"]), ("_", []), ("ann ulm", []), ("", ["4711", "4712", "4713"]),
])
def test_people_are_found_by_number_name_mail_phone_and_city(quick_desk: Desk, text: str, numbers: list[str]) -> None:
    quick_desk.load("customers", PEOPLE)
    assert _found(quick_desk, text) == numbers


def test_people_are_found_on_both_databases_whatever_the_capitals(desk: Desk) -> None:
    desk.load("customers", PEOPLE)
    assert _found(desk, "Müller") == ["4711"] and _found(desk, "100%") == ["4713"]


def test_pages_walk_by_key_without_gap_or_repeat(desk: Desk) -> None:
    desk.load("customers", "customer_id\n" + "".join(f"N{n:03}\n" for n in range(7)))
    seen: list[str] = []
    after = None
    with desk.database.reading() as session:
        while True:
            page = search_customers(session, "n", limit=3, after=after)
            seen += [customer.external_id for customer in page.items]
            after = page.next
            if after is None:
                break
    assert seen == [f"N{n:03}" for n in range(7)]


def test_a_number_nobody_has_is_named(quick_desk: Desk) -> None:
    with quick_desk.database.reading() as session, pytest.raises(NotFound, match="'nobody'"):
        find_customer(session, "nobody")


def test_the_name_shown_falls_back_to_the_company_and_the_number(quick_desk: Desk) -> None:
    quick_desk.load("customers", PEOPLE + "4714,,,,,,,,\n")
    with quick_desk.database.reading() as session:
        names = [display_name(find_customer(session, number)) for number in ("4711", "4713", "4714")]
    assert names == ["Ann MÜLLER", "Holz 100% GmbH", "Customer 4714"]


def test_ones_facts_leave_cancelled_orders_out_of_the_sums(desk: Desk) -> None:
    desk.load("customers", PEOPLE)
    desk.load("orders", "order_id,customer_id,ordered_at,unit_price,currency,status\nO1,4711,2026-01-01,10,EUR,\n"
                        "O2,4711,2026-01-05,5,CHF,\nO3,4711,2026-01-09,99,EUR,voided\n")
    desk.load("contacts", "contact_id,customer_id,at,kind,direction\nK1,4711,2026-01-01,call,in\n")
    with desk.database.reading() as session:
        facts = customer_facts(session, "4711")
        assert address_of(session, facts.customer.id, "email") is not None
        assert address_of(session, facts.customer.id, "push") is None
    assert facts.revenue_cents == {"EUR": 1000, "CHF": 500} and facts.order_count == 2
    assert [order.external_id for order in facts.orders] == ["O3", "O2", "O1"]
    assert facts.last_order_at is not None and facts.last_order_at.day == 5
    assert sorted(facts.addresses) == ["email", "letter", "phone"] and facts.contact_count == 1


def test_a_name_changed_by_hand_is_found_after_refreshing(quick_desk: Desk) -> None:
    quick_desk.load("customers", PEOPLE)
    with quick_desk.database.writing() as session:
        customer = find_customer(session, "4711")
        customer.last_name = "Schmidt"
        session.flush()
        refresh_search(session.connection(), [customer.id])
    assert _found(quick_desk, "schmidt köln") == ["4711"]


def test_a_contact_is_recorded_once_and_its_status_updated(desk: Desk, now: datetime) -> None:
    desk.load("customers", PEOPLE)
    for status in ("open", "closed"):
        with desk.database.writing() as session:
            customer = find_customer(session, "4711")
            record_contact(session, customer.id, external_id="K1", kind=" Call", direction="in", status=status, now=now)
    assert desk.rows("SELECT kind, status FROM contacts") == [("call", "closed")]
    with desk.database.writing() as session, pytest.raises(Invalid, match="is not a direction"):
        record_contact(session, customer.id, external_id="K2", kind="call", direction="up", now=now)
    with desk.database.writing() as session, pytest.raises(Invalid, match="belongs to another"):
        record_contact(session, customer.id + 1, external_id="K1", kind="call", direction="in", now=now)
