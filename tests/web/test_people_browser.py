"""Customers, call desk, settings, imports and letters in a real browser: readable at both widths and looks."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import select, text

from core.clock import stand_at
from customers.models import Contact, Customer
from delivery.calls import put_on_desk
from tests.conftest import NOW
from tests.delivery.ledger import prepared
from tests.web import story
from tests.web.conftest import Live
from tests.web.looks import TWO_LOOKS, check_accessible, check_look

pytestmark = pytest.mark.browser


def _furnish(live: Live, folder: Path) -> str:
    """A played shop, a person with a long story, two calls on the desk, and one letter."""
    story.play(live.database, folder, now=NOW, people=12)
    prepared(live.database, [501, 502], now=NOW, channel="phone")
    with live.database.writing() as session:
        ids = session.execute(text("SELECT id FROM messages WHERE customer_id > 500")).scalars().all()
        put_on_desk(session.connection(), ids, now=NOW)
        number = session.execute(text(
            "SELECT c.external_id FROM customers c JOIN redemptions r ON r.customer_id = c.id LIMIT 1")).scalar_one()
        person = session.scalars(select(Customer).where(Customer.external_id == number)).one()
        person.salutation, person.first_name, person.last_name = "Frau", "Helga", "Brandt"
        said = ((20, "complaint", "about a late delivery"), (30, "letter", None), (200, "call", "a chair"))
        for days, kind, subject in said:
            session.add(Contact(external_id=f"x{days}", customer_id=person.id, at=NOW - timedelta(days=days), kind=kind,
                                direction="in", subject=subject, status="solved"))
        stand_at(session.connection(), NOW + timedelta(days=10))
    home = live.app.extensions["winback.settings"].home / "letters" / "2026-03-02"
    home.mkdir(parents=True)
    (home / "abc123.pdf").write_bytes(b"%PDF-1.4")
    (home / "manifest.csv").write_text(
        "public_id,file,address,subject,code,bytes,sha256,posted_at\n"
        'abc123,abc123.pdf,"Ada Nr1, Weg 1, 10115 Berlin, DE",We kept your place,7KQM4T2X9HBD,8,x,2026-03-02\n')
    return str(number)


@pytest.mark.deeper
@TWO_LOOKS
def test_every_page_of_people_is_accessible_and_fits_the_screen(
    live: Live, tmp_path: Path, width: int, scheme: str
) -> None:
    number = _furnish(live, tmp_path)
    page = live.open("/customers", width=width, scheme=scheme)
    for path in ("/customers", f"/customers/{number}", f"/customers/{number}?why=spring", "/calls", "/settings",
                 "/settings/people", "/settings/keys", "/settings/audit", "/imports", "/prints", "/prints/2026-03-02"):
        page.goto(path)
        check_look(page, width)


def test_an_agent_takes_a_call_says_the_code_and_notes_the_outcome(live: Live, tmp_path: Path) -> None:
    _furnish(live, tmp_path)
    page = live.open("/calls", user="agent")
    page.get_by_role("button", name="Take the call to").first.click()
    expect(page.get_by_text("Code, to read aloud")).to_be_visible()
    check_accessible(page)
    page.get_by_label("no answer").check()
    page.get_by_role("button", name="Note the outcome").click()
    expect(page.get_by_text("Noted: no answer.")).to_be_visible()


def test_a_file_is_checked_imported_and_its_rejected_lines_fetched(live: Live, tmp_path: Path) -> None:
    path = tmp_path / "kunden <1>.csv"
    path.write_text("Nummer,email\nc1,ada@example.com\nc2,not an address\n", encoding="utf-8")
    page = live.open("/imports")
    page.get_by_role("radio", name="customers").check()
    page.get_by_label("File", exact=True).set_input_files(str(path))
    page.get_by_role("button", name="Upload the file").click()
    page.get_by_label("customer id (must be there)").select_option("Nummer")
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("Would be rejected")).to_be_visible()
    check_accessible(page)
    page.get_by_role("button", name="Import 1 line").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all rejected lines").click()
    assert "not an address" in Path(download.value.path()).read_text(encoding="utf-8-sig")


def test_forgetting_asks_first_and_says_what_stays(live: Live, tmp_path: Path) -> None:
    number = _furnish(live, tmp_path)
    page = live.open(f"/customers/{number}")
    page.get_by_label("More").click()
    page.get_by_role("button", name="Forget her").click()
    dialog = page.get_by_role("dialog", name="Forget Helga Brandt for good?")
    expect(dialog).to_contain_text("orders, codes and what was sent when")
    expect(page.get_by_role("button", name="Not now")).to_be_focused()
    check_accessible(page)
    dialog.get_by_role("button", name="Forget Helga Brandt").click()
    expect(page.get_by_text("The person is forgotten.")).to_be_visible()
    expect(page.get_by_text("Helga Brandt")).to_have_count(0)
