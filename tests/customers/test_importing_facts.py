"""Consents, products, stores and contacts from files."""

import threading

import pytest
from sqlalchemy import select

from core.errors import Invalid
from customers.consents import lock_customers
from customers.models import Customer
from tests.customers.files import Desk, reasons

CONSENTS = "customer_id,channel,state,basis,at,source,proof\n"


def test_consents_are_added_with_their_proof_and_never_overwritten(desk: Desk) -> None:
    desk.load("consents", CONSENTS + "C1,email,granted,consent,2025-01-01,form,v1\n")
    result = desk.load("consents", CONSENTS + "C1,email,granted,consent,2025-01-01,form,v2\n"
                                              "C1,email,withdrawn,,2025-02-01,,\n")
    assert (result.imported, result.created, result.updated) == (2, 1, 1)
    assert desk.rows("SELECT state, basis, source, proof FROM consents ORDER BY at") == [
        ("granted", "consent", "form", "v1"), ("withdrawn", None, None, None)]


def test_a_consent_of_somebody_unknown_is_kept_with_a_bare_customer(desk: Desk) -> None:
    desk.load("consents", CONSENTS + "C9,phone,denied,,2025-01-01,,\n")
    assert desk.rows("SELECT c.external_id, s.state FROM consents s JOIN customers c ON c.id = s.customer_id") == [
        ("C9", "denied")]


@pytest.mark.parametrize(("line", "words"), [
    ("C1,fax,granted,,2025-01-01,,", "channel: 'fax' is not one of"),
    ("C1,email,maybe,,2025-01-01,,", "state: 'maybe' is not one of granted, denied, withdrawn."),
    ("C1,email,granted,,,,", "at: The cell is empty."), (",email,granted,,2025-01-01,,", "customer_id: The cell"),
])
def test_a_consent_that_is_unclear_is_rejected(quick_desk: Desk, line: str, words: str) -> None:
    result = quick_desk.load("consents", CONSENTS + line + "\n")
    assert result.imported == 0 and words in reasons(result)[2]


def test_the_same_consent_twice_in_one_file_is_one(quick_desk: Desk) -> None:
    result = quick_desk.load("consents", CONSENTS + "C1,email,granted,,2025-01-01,,\n" * 2)
    assert (result.imported, result.created) == (2, 1)
    assert quick_desk.rows("SELECT count(*) FROM consents") == [(1,)]


def test_products_are_stored_by_sku_and_brought_up_to_date(desk: Desk) -> None:
    desk.load("products", "sku,name,category,price,stock,non_discountable\nS1,Chair,sofa,10.50,-3,yes\nS2,Bed,,,,\n")
    result = desk.load("products", "sku,price\nS1,\nS3,1\n")
    assert (result.created, result.updated) == (1, 1)
    assert desk.rows("SELECT sku, name, price_cents, stock, non_discountable FROM products ORDER BY sku") == [
        ("S1", "Chair", None, -3, True), ("S2", "Bed", None, None, False), ("S3", None, 100, None, False)]


def test_stores_are_stored_by_number(desk: Desk) -> None:
    desk.load("stores", "store_id,name,postal_code,latitude,longitude\nX,Mitte,10115,52.5,13.4\n")
    assert desk.rows("SELECT external_id, name, postal_code, latitude FROM stores") == [("X", "Mitte", "10115", 52.5)]


def test_contacts_of_any_kind_are_stored_and_brought_up_to_date(desk: Desk) -> None:
    head = "contact_id,customer_id,at,kind,direction,channel,subject,text,status\n"
    desk.load("contacts", head + "K1,C1,2026-01-01,Complaint,in,phone,late,Where is it,open\n"
                                 "K2,C1,2026-01-02,Fax,OUT,,,,\nK3,C1,2026-01-02,call,up,,,,\n")
    result = desk.load("contacts", head + "K1,C1,2026-01-01,complaint,in,phone,late,Solved,closed\n")
    assert (result.created, result.updated) == (0, 1)
    assert desk.rows("SELECT external_id, kind, direction, text, status FROM contacts ORDER BY external_id") == [
        ("K1", "complaint", "in", "Solved", "closed"), ("K2", "fax", "out", None, None)]


def test_two_lines_with_one_key_are_one_row_and_the_later_counts(desk: Desk) -> None:
    result = desk.load("products", "sku,name\nS1,Chair\nS1,Stool\n")
    assert (result.imported, result.created) == (2, 1)
    assert desk.rows("SELECT name FROM products") == [("Stool",)]


@pytest.mark.parametrize("kind", ["consents", "products", "stores", "contacts", "customers"])
def test_a_dry_run_of_any_kind_changes_nothing(quick_desk: Desk, kind: str) -> None:
    content = {"consents": CONSENTS + "C1,email,granted,,2025-01-01,,\n", "products": "sku\nS1\n",
               "stores": "store_id\nX\n",
               "contacts": "contact_id,customer_id,at,kind,direction\nK,C,2026-01-01,call,in\n",
               "customers": "customer_id\nC1\n"}[kind]
    result = quick_desk.load(kind, content, dry_run=True)
    assert (result.imported, result.created) == (1, 1)
    for table in ("customers", "consents", "products", "stores", "contacts"):
        assert quick_desk.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_an_unknown_kind_is_named(quick_desk: Desk) -> None:
    with pytest.raises(Invalid, match="'orderz' is no kind of import"):
        quick_desk.load("orderz", "a\n1\n")


def test_an_import_of_consents_waits_for_whoever_holds_the_customers(desk: Desk) -> None:
    desk.load("customers", "customer_id\nC1\n")
    path = desk.path(CONSENTS + "C1,email,withdrawn,,2025-02-01,,\n")
    done = threading.Event()

    def load() -> None:
        desk.load("consents", path)
        done.set()

    thread = threading.Thread(target=load)
    with desk.database.writing() as session:
        connection = session.connection()
        lock_customers(connection, list(session.scalars(select(Customer.id))))
        thread.start()
        assert not done.wait(0.5)
    thread.join(120)
    assert done.is_set() and desk.rows("SELECT state FROM consents") == [("withdrawn",)]
