"""A part of a page that is opened by its own address leads to the page that holds it."""

from flask.testing import FlaskClient

from tests.web.test_campaign_pages import words


def test_a_part_of_a_page_opened_as_a_document_leads_to_the_whole_page(shop: FlaskClient) -> None:
    pages = {"/campaigns/spring/audience": "/campaigns/spring", "/campaigns/spring/worth": "/campaigns/spring",
             "/campaigns/spring/forecast/strip": "/campaigns/spring/forecast", "/home/outcomes": "/",
             "/campaigns/spring/report/who-responds": "/campaigns/spring/report"}
    for part, whole in pages.items():
        opened = shop.get(part, headers={"Sec-Fetch-Dest": "document"})
        assert (opened.status_code, opened.location) == (302, whole), part
        assert shop.get(part, headers={"HX-Request": "true", "Sec-Fetch-Dest": "empty"}).status_code == 200, part


def test_asking_why_about_nobody_says_what_to_type(shop: FlaskClient) -> None:
    asked = shop.get("/campaigns/spring/why?customer=%20", follow_redirects=True)
    assert "Type the customer's number" in words(asked.text).replace("&#39;", "'")
