"""The shell in a real browser: readable for everybody at both widths and looks, usable by keys, strict."""

import pytest
from playwright.sync_api import expect

from tests.web.conftest import PASSWORD, Live
from tests.web.looks import EVERY_LOOK, check_accessible, check_look

pytestmark = pytest.mark.browser


@pytest.mark.deeper
@EVERY_LOOK
def test_the_patterns_are_accessible_and_fit_the_screen(live: Live, width: int, scheme: str) -> None:
    page = live.open("/style-guide", width=width, scheme=scheme)
    check_look(page, width)
    assert page.locator("html").get_attribute("data-bs-theme") == scheme


def test_signing_in_by_hand_leads_to_the_page_one_came_for(live: Live) -> None:
    live._cookie("admin")
    page = live.open("/style-guide", user=None)
    check_accessible(page)
    page.get_by_label("E-mail address").fill("admin@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Patterns")).to_be_visible()


def test_the_look_follows_the_device_until_somebody_chooses(live: Live) -> None:
    page = live.open("/style-guide", scheme="light")
    page.get_by_label("Look, keys, sign out").click()
    page.get_by_role("button", name="Dark").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_label("Look, keys, sign out").click()
    page.get_by_role("button", name="Like the device").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_a_confirm_dialog_starts_on_not_now_and_gives_the_focus_back(live: Live) -> None:
    page = live.open("/style-guide")
    page.get_by_role("button", name="Release letters").click()
    expect(page.get_by_role("dialog", name="Release 1,204 letters?")).to_be_visible()
    expect(page.get_by_role("button", name="Not now")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Release letters")).to_be_focused()


def test_a_form_that_spends_money_is_sent_once(live: Live) -> None:
    page = live.open("/style-guide")
    page.route("**/style-guide", lambda route: route.fulfill(status=204))  # the page stays
    page.get_by_role("button", name="Release letters").click()
    button = page.get_by_role("button", name="Release 1,204 letters")
    with page.expect_request(lambda asked: asked.method == "POST"):
        went = button.evaluate("""async (button) => { let went = 0;
            addEventListener("submit", (event) => { went += !event.defaultPrevented; });
            button.click();
            await new Promise((later) => setTimeout(later, 150));
            button.click();
            return went; }""")
    assert went == 1


def test_keys_jump_search_and_explain_but_never_while_typing(live: Live) -> None:
    page = live.open("/style-guide")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.get_by_label("Single keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Where to")).to_be_focused()
    page.keyboard.press("Escape")
    page.evaluate("localStorage.clear()")
    page.reload()
    page.keyboard.press("/")
    field = page.get_by_role("searchbox", name="Search customers")
    expect(field).to_be_focused()
    page.keyboard.type("g?k")
    expect(field).to_have_value("g?k")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_a_note_goes_by_itself_and_a_refusal_stays(live: Live) -> None:
    page = live.open()
    page.clock.install()
    page.goto("/style-guide")
    page.evaluate("""() => { for (const kind of ['done', 'refused']) {
        const note = document.querySelector(`[data-toast=${kind}]`).cloneNode(true);
        document.querySelector('#toasts').append(note); } }""")
    expect(page.locator("#toasts [data-toast]")).to_have_count(2)
    page.clock.run_for(9000)
    expect(page.locator("#toasts [data-toast=done]")).to_have_count(0)
    expect(page.locator("#toasts [data-toast=refused]")).to_have_count(1)
    page.locator("#toasts").get_by_role("button", name="Close this note").click()
    expect(page.locator("#toasts [data-toast]")).to_have_count(0)


def test_the_menu_of_a_phone_is_a_sheet(live: Live) -> None:
    page = live.open("/style-guide", width=390)
    page.get_by_role("button", name="Menu").click()
    sheet = page.get_by_role("dialog", name="Menu")
    expect(sheet.get_by_role("button", name="Sign out")).to_be_visible()
    check_accessible(page)
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()


def test_htmx_sends_the_token_and_shows_errors_as_notes(live: Live) -> None:
    page = live.open("/style-guide")
    page.evaluate("""() => { const form = document.createElement('form');
        form.setAttribute('hx-post', '/style-guide'); form.innerHTML = '<button>Try</button>';
        document.querySelector('.wrap').prepend(form); htmx.process(form); }""")
    with page.expect_request(lambda asked: asked.method == "POST") as asked:
        page.get_by_role("button", name="Try").click()
    assert asked.value.headers["x-csrftoken"]
    expect(page.locator("#toasts")).to_contain_text("does not answer to that method")
    live.complaints.clear()  # the browser logs the 405


def test_the_skip_link_is_the_first_stop(live: Live) -> None:
    page = live.open("/style-guide")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
