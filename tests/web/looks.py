"""Is a page accessible, and does it fit the screen, wide and narrow, light and dark?

Owns the looks a page is tried in. `make test` has axe read every page once, wide and light, and looks at the narrow
and dark ones only for what sticks out; `make proofs` has axe read every page in every look.
"""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.conftest import PROOFS

TWO_LOOKS = pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
EVERY_LOOK = pytest.mark.parametrize(
    ("width", "scheme"), [(1440, "light"), (390, "dark"), *([(1440, "dark"), (390, "light")] if PROOFS else [])])


def check_look(page: Page, width: int) -> None:
    """Nothing is wider than the screen, and axe (once for a page, see above) finds nothing."""
    assert page.evaluate("document.documentElement.scrollWidth") == width, page.url
    if width == 1440 or PROOFS:
        check_accessible(page)


def check_accessible(page: Page) -> None:
    """Axe finds nothing on the page as it stands."""
    found = Axe().run(page).response["violations"]
    assert [(page.url, each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []
