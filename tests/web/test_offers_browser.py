"""The pages of offers in a real browser: the example follows what is typed, and both widths are accessible."""

import pytest
from playwright.sync_api import expect

from tests.web.conftest import Live
from tests.web.looks import TWO_LOOKS, check_look

pytestmark = pytest.mark.browser


@pytest.mark.deeper
@TWO_LOOKS
def test_the_example_follows_what_is_typed_and_the_pages_are_accessible(live: Live, width: int, scheme: str) -> None:
    page = live.open("/offers/_new", width=width, scheme=scheme)
    page.get_by_label("Name", exact=True).fill("Gift")
    page.get_by_label("Key", exact=True).fill("gift")
    page.get_by_role("textbox", name="Percent").fill("20")
    expect(page.locator("#example")).to_contain_text("A €129.90 basket pays €103.92.")
    page.get_by_role("radio", name="Free products").check()
    expect(page.locator("#f-percent")).to_be_hidden()
    page.get_by_role("textbox", name="Free products").fill("PILLOW-1")
    expect(page.locator("#example")).to_contain_text("A €149.90 basket pays €129.90.")
    page.get_by_role("button", name="Save offer").click()
    page.wait_for_url("**/offers/gift")
    for path in ("/offers/gift", "/offers", "/offers/_simulator?what=gift&currency=EUR&sku_1=PILLOW-1&price_1=20"):
        page.goto(path)
        check_look(page, width)
