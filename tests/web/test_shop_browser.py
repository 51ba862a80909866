"""The pages of shops and their inbox in a real browser: readable at both widths and looks."""

import pytest

from tests.conftest import NOW
from tests.web.conftest import Live
from tests.web.looks import TWO_LOOKS, check_look
from tests.web.shops import connect, order

pytestmark = pytest.mark.browser


@pytest.mark.deeper
@TWO_LOOKS
def test_every_page_of_shops_is_accessible_and_fits_the_screen(live: Live, width: int, scheme: str) -> None:
    shop = connect(live.app, live.database, now=NOW)
    shop.tell(order(NOW, currency="nonsense"))
    shop.tell(order(NOW, total_cents=1, coupons=[{"code": "WELCOME5", "discount_cents": 500}]))
    shop.tell(order(NOW, id="o" * 150), secret="whsec_" + "QUJD" * 8)
    shop.tell(order(NOW, id="o" * 150))
    shop.work(NOW)
    page = live.open("/shops", width=width, scheme=scheme)
    for path in ("/shops", "/shops/_new", f"/shops/{shop.public_id}", "/inbox", "/inbox/1", "/inbox/2", "/leaks",
                 "/calls/orders"):
        page.goto(path)
        check_look(page, width)
