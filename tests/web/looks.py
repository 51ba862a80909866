"""Is a page accessible, and does it fit the screen, wide and narrow, light and dark?

Owns the looks a page is tried in: in `make test` the wide and light one, in `make proofs` the others.
"""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.conftest import PROOFS

TWO_LOOKS = pytest.mark.parametrize(("width", "scheme"), [(390, "dark") if PROOFS else (1440, "light")])
EVERY_LOOK = pytest.mark.parametrize(
    ("width", "scheme"),
    [(390, "dark"), (1440, "dark"), (390, "light")] if PROOFS else [(1440, "light")])


def check_look(page: Page, width: int) -> None:
    """Nothing is wider than the screen, and axe finds nothing."""
    assert page.evaluate("document.documentElement.scrollWidth") == width, page.url
    check_accessible(page)


def check_accessible(page: Page) -> None:
    """Axe finds nothing on the page as it stands."""
    found = Axe().run(page).response["violations"]
    assert [(page.url, each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []
