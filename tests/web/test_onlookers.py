"""Who may look and not change is offered nothing that would be refused after the typing."""

from flask.testing import FlaskClient

from core.database import Database
from tests.web.conftest import browser_of

FORMS = ("/campaigns/_new", "/campaigns/spring/edit", "/journeys/_new", "/offers/_new", "/contents/_new",
         "/segments/_list")
LOOKED_AT = ("/", "/campaigns", "/journeys", "/offers", "/contents", "/segments", "/offers/ten-percent",
             "/contents/offer-a", "/segments/lapsed", "/campaigns/spring", "/reports")
ACTS = (">New campaign", ">New offer", ">New content", ">New list", ">Save<", ">Save offer", ">Save content",
        ">Plan a campaign", ">Duplicate<", ">Archive<", *(f'href="{form}' for form in FORMS))


def test_onlookers_are_offered_no_form_that_they_may_not_send(shop: FlaskClient, shop_database: Database) -> None:
    onlooker = browser_of(shop.application, shop_database, "analyst")
    for form in FORMS:
        assert shop.get(form).status_code == 200, form
        refused = onlooker.get(form)
        assert refused.status_code == 403 and "you are signed in as analyst" in refused.text, form
    offered = set()
    for page in LOOKED_AT:
        offered |= {act for act in ACTS if act in shop.get(page).text}
        looked = onlooker.get(page)
        assert looked.status_code == 200, page
        assert not [act for act in ACTS if act in looked.text], page
    assert {">New campaign", ">New offer", ">Save offer", ">Save content", ">Save<"} <= offered
