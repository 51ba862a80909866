"""Report pages: checks above the verdict, response apart from effect, cells that become a segment."""

import json
import math
import re
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import expect
from sqlalchemy import select

from core.database import Database
from core.statistics.estimates import Interval
from segments.models import Segment
from segments.saving.saved import segment_rule
from tests.web.conftest import Live, browser_of
from tests.web.looks import EVERY_LOOK, check_look
from tests.web.test_campaign_pages import words
from web.campaigns.report import _response_note, compared, marked
from web.frame.plots import interval_plot


def test_a_report_stands_in_the_order_checks_verdict_response_effect_offers(shop: FlaskClient) -> None:
    page = words(shop.get("/campaigns/spring/report").text)
    order = ["Split as planned", "How this was worked out", "Response What people did", "Effect What happened only",
             "Offers 95 % intervals", "How long people took", "Who responds"]
    places = [page.index(part) for part in order]
    assert places == sorted(places)
    assert "Left alone" in page and "compared with" in page and "not drawn: do not compare them as causes" in page


def test_response_and_effect_never_share_a_shape(shop: FlaskClient) -> None:
    page = shop.get("/campaigns/spring/report").text
    plots = re.findall(r'<div class="ip (resp|eff)[^>]*aria-label="([^"]*)"', page)
    assert ("resp", "Redeemed their code, by offer") in plots
    assert ("eff", "More furniture orders per 100 people") in plots
    assert {kind for kind, title in plots if title.startswith(("Redeemed", "By channel"))} == {"resp"}


def test_every_plotted_estimate_has_its_range_in_a_table_behind_it(shop: FlaskClient) -> None:
    page = shop.get("/campaigns/spring/report").text
    rows = re.findall(r'<th scope="row">([^<]*)</th><td>[^<]*</td><td>([^<]+)</td><td>([^<]+)</td>', page)
    assert len(rows) >= 5
    for label, value, ends in rows:
        assert " to " in ends and value, label


def test_a_campaign_nobody_entered_says_so(shop: FlaskClient) -> None:
    page = words(shop.get("/campaigns/second/report").text)
    assert "Nobody has entered this campaign yet" in page and "Known once people are in the campaign" in page


def test_a_campaign_of_the_past_claims_no_effect(shop: FlaskClient) -> None:
    page = words(shop.get("/campaigns/past-1/report").text)
    assert "left nobody alone, so nobody can say what it caused" in page
    assert "Imported from the past" in page and "20.0 %" in page


def test_exports_hold_the_same_numbers_as_the_page(shop: FlaskClient) -> None:
    answer = shop.get("/campaigns/spring/report.json")
    body = json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert body["holdout"]["assigned"] > 0 and {arm["name"] for arm in body["arms"]} == {"A", "B"}
    assert "attachment" in answer.headers["Content-Disposition"]
    page = words(shop.get("/campaigns/spring/report").text)
    assert f"{body['holdout']['assigned']} of them left alone" in page
    table = shop.get("/campaigns/spring/report.csv")
    assert table.mimetype == "text/csv" and len(table.text.splitlines()) > 2
    assert shop.get("/campaigns/spring/report.pdf").status_code == 404
    assert shop.get("/campaigns/nothing/report").status_code == 404


def test_the_list_of_reports_shows_past_campaigns_with_rate_and_range(shop: FlaskClient) -> None:
    page = words(shop.get("/reports").text)
    assert "Past 1" in page and "Past 2" in page and "20.0 % 11.8 to 31.8 %" in page and "Spring" in page


def cells_of(page: str) -> list[str]:
    """The cells of a grid that can be chosen."""
    return re.findall(r'name="cell" value="(\d+:\d+)"', page)


def test_chosen_cells_become_a_sentence_with_their_pooled_range(shop: FlaskClient) -> None:
    grid = shop.get("/reports/who-responds").text
    cells = cells_of(grid)
    assert cells
    page = words(shop.get(f"/reports/who-responds/selection?cell={cells[0]}").text)
    assert re.search(r"\d\.\d % \(\d", page) and "Picked after looking at" in page and "Make segment" in page


def test_a_selection_becomes_one_segment_however_often_it_is_sent(
    shop: FlaskClient, shop_database: Database
) -> None:
    grid = shop.get("/reports/who-responds").text
    form = {"cell": cells_of(grid)[:1], "edge": re.findall(r'name="edge" value="(\d+)"', grid),
            "row": re.findall(r'name="row" value="(\d+)"', grid)}
    assert len(form["row"]) > 1
    first = shop.post("/reports/who-responds/segment", data=form)
    second = shop.post("/reports/who-responds/segment", data=form)
    assert first.status_code == 302 and first.location == second.location
    inside = shop.post("/reports/who-responds/segment", data={**form, "within": "lapsed"})
    assert inside.location != first.location
    with shop_database.reading() as session:
        keys = list(session.scalars(select(Segment.key).order_by(Segment.id)))
        assert len(keys) == 3
        assert segment_rule(session, keys[2]).to_json()["all"][0] == {"segment": "lapsed"}


@pytest.mark.parametrize("query", [
    "cell=x", "cell=1", "cell=99:99", "cell=-1:0", "edge=abc&cell=0:0", "cell=" + "9" * 400,
    "campaign=nothing&cell=0:0",
    "edge=5&edge=5&cell=0:0", "row=3&row=2&cell=0:0", "row=x&cell=0:0"])
def test_cells_that_do_not_exist_are_refused(shop: FlaskClient, query: str) -> None:
    assert shop.get(f"/reports/who-responds/selection?{query}").status_code in (400, 404)
    pairs = [part.split("=", 1) for part in query.split("&")]
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    assert shop.post("/reports/who-responds/segment", data=form).status_code in (400, 404)


def test_nothing_chosen_makes_no_segment(shop: FlaskClient) -> None:
    assert shop.post("/reports/who-responds/segment", data={}).status_code == 400


def test_an_analyst_may_look_at_cells_and_make_nothing(shop: FlaskClient, shop_database: Database) -> None:
    analyst = browser_of(shop.application, shop_database, "analyst")
    cell = cells_of(analyst.get("/reports/who-responds").text)[0]
    assert "Make segment" not in analyst.get(f"/reports/who-responds/selection?cell={cell}").text
    assert analyst.post("/reports/who-responds/segment", data={"cell": cell}).status_code == 403


def test_an_empty_installation_has_nothing_to_learn_from_yet(marketer: FlaskClient) -> None:
    assert "No reports yet" in marketer.get("/reports").text
    assert "Nothing to learn from yet" in marketer.get("/reports/who-responds").text


def test_sentences_are_marked_but_never_trusted() -> None:
    text = "The campaign caused about 267 people to order <b> (95\N{NO-BREAK SPACE}%: 110 to 398). It earned €14,360."
    assert str(marked(text)) == (
        "The campaign caused about <b>267 people</b> to order &lt;b&gt; "
        '<span class="range">(95\N{NO-BREAK SPACE}%: 110 to 398)</span>. It earned <b>€14,360</b>.')


def test_offers_that_cannot_be_compared_yet_are_said_to_be_so_without_dashes() -> None:
    def arm(label: str, low: float) -> Any:
        found = SimpleNamespace(judged=lambda _how: Interval(0.0, low, 0.1, 900, "none"), p_adjusted=0.5)
        return SimpleNamespace(name=label, label=label, against_first=found)

    def note(low: float) -> str:
        report: Any = SimpleNamespace(arms=(arm("10 %", 0.0), arm("15 EUR", low)), channels=(), judged="fixed")
        return _response_note(report)

    assert note(math.nan) == "15 EUR against 10 %: no difference can be told yet."
    assert note(-0.1).replace("\N{NO-BREAK SPACE}", " ").startswith("15 EUR against 10 %: 0.0 points (")


def test_a_difference_without_a_range_is_no_estimate() -> None:
    unknown = Interval(0.0, math.nan, math.nan, 900, "none")
    row = compared("Spring", unknown, "not final", str)
    assert (row.value, row.value_text, row.range_text) == (None, "too early", "")
    drawn = interval_plot([row], kind="effect", title="", tick=str).rows[0]
    assert drawn.dot is None and drawn.left is None and drawn.spoken == "Spring: no estimate"


@pytest.mark.browser
@pytest.mark.deeper
@EVERY_LOOK
def test_report_pages_are_accessible_and_fit_the_screen(live_shop: Live, width: int, scheme: str) -> None:
    page = live_shop.open("/reports", width=width, scheme=scheme)
    for path in ("/reports", "/reports/who-responds", "/campaigns/spring/report", "/campaigns/past-1/report"):
        page.goto(path)
        if path.endswith("report"):
            expect(page.locator("table.gr")).to_be_attached()
        check_look(page, width)


@pytest.mark.browser
def test_a_cell_is_toggled_by_keyboard_and_becomes_a_segment(live_shop: Live) -> None:
    page = live_shop.open("/reports/who-responds")
    box = page.locator("input[name=cell]").first
    box.focus()
    page.keyboard.press("Space")
    expect(page.locator("#chosen")).to_contain_text("Picked after looking at")
    page.keyboard.press("Space")
    expect(page.locator("#chosen")).to_contain_text("Choose cells")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Make segment").click()
    page.wait_for_url("**/segments/**")
    expect(page.locator("#toasts")).to_contain_text("is a segment now")
