"""Reports: what came of each campaign, the past ones too, and who responds."""

import json
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key, list_campaigns
from campaigns.showing import segment_key
from core.errors import Invalid
from coupons.codes.feed import redeemed_by_campaign
from journeys.telling.overview import journey_lines
from reporting.exporting import csv_report
from reporting.histories import past_campaigns
from reporting.reports import campaign_report
from reporting.responders import Grid, Place
from reporting.responders import grid as responders_grid
from reporting.results import CampaignReport
from reporting.selecting import rule_for, selection
from segments.language.rules import parse_rule
from segments.saving.saved import list_segments, save_segment, segment_by_key, segment_rule
from web.campaigns.form import key_from
from web.campaigns.grid import edges_of, grid_view, order_edges_of
from web.campaigns.report import marked, rate_words, view_of
from web.frame.fragments import part_of
from web.frame.links import segment_url
from web.frame.toasts import toast
from web.registry import Found
from web.requests.transactions import reading, request_now, writing
from web.security.access import person
from web.security.audit import record
from web.wording.formatting import day, local_date
from web.wording.states import STATE_PILLS, window_words

blueprint = Blueprint("reports", __name__)

GRID_SECONDS = 300
GRIDS_KEPT = 16


def find(session: Session, words: str) -> list[Found]:
    """Reports of past campaigns for the jump box; the others are found as campaigns."""
    wanted = words.casefold()
    return [Found(each.name, "report", url_for("reports.show", key=each.key), "chart-dots")
            for each in list_campaigns(session) if each.state == "history"
            and (wanted in each.name.casefold() or wanted in each.key.casefold())]


@blueprint.app_template_filter("capfirst")
def capfirst(text: str) -> str:
    """The text with a capital at its beginning; the rest stays."""
    return text[:1].upper() + text[1:]


@blueprint.get("/campaigns/<key>/report")
def show(key: str) -> ResponseReturnValue:
    """The report of one campaign."""
    now = request_now()
    with reading() as session:
        campaign = campaign_by_key(session, key)
        report = campaign_report(session, key, now=now)
    zone = campaign.timezone
    final_on = report.maturity.final_at
    prefer = report.verdict.prefer
    label = next((arm.label for arm in report.arms if arm.name == prefer), None)
    who = person()
    return render_template(
        "pages/reports/show.html", report=report, view=view_of(report), window=window_words(campaign, now=now),
        marked=marked, final_day=day(final_on, today=local_date(now, zone), zone=zone) if final_on else "",
        next_action=f"Plan the next with {label}" if label and who and who.may_change() else None,
        next_href=url_for("campaigns.new", after=key, offer=label), grid_href=_grid_href(campaign, report))


@blueprint.get("/campaigns/<key>/report.<form>")
def export(key: str, form: str) -> ResponseReturnValue:
    """The report as a file: JSON with everything, or a CSV table."""
    if form not in ("json", "csv"):
        abort(404)
    now = request_now()
    with reading() as session:
        report = campaign_report(session, key, now=now)
    return exported(report, form)


@blueprint.get("/reports")
def index() -> ResponseReturnValue:
    """Every campaign that has numbers: those run here, then the imported past."""
    now = request_now()
    with reading() as session:
        campaigns = list_campaigns(session)
        lines = {line.campaign.id: line for line in journey_lines(session, day_start=now, now=now)}
        redeemed = redeemed_by_campaign(session)
        past = [each for each in past_campaigns(session, now=now) if each.state == "history"]
    by_key = {each.key: each for each in campaigns}
    ran = [each for each in campaigns if each.id in lines and lines[each.id].newest]
    own = [{"campaign": each, "line": lines[each.id], "codes": redeemed.get(each.key, (0, 0)),
            "window": window_words(each, now=now), "pill": STATE_PILLS[each.state],
            "rate": rate_words(*reversed(redeemed.get(each.key, (0, 0))))}
           for each in ran]
    history = [{"campaign": each, "window": window_words(by_key[each.key], now=now),
                "rate": rate_words(each.redeemers, each.people)} for each in reversed(past)]
    over = bool(past) or any(each.state == "ended" for each in ran)
    return render_template("pages/reports/index.html", own=own, past=history,
                           who_href=url_for("reports.who_responds") if over else None)


def exported(report: CampaignReport, form: str) -> Response:
    """The report as a file to keep."""
    text = json.dumps(report.to_dict(), indent=2, allow_nan=False) if form == "json" else csv_report(report)
    response = Response(text, mimetype="application/json" if form == "json" else "text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{report.campaign.key}-report.{form}"'
    return response


def _grid_href(campaign: Campaign, report: CampaignReport) -> str | None:
    return url_for("reports.grid", key=campaign.key) if report.assigned else None


@blueprint.get("/reports/who-responds")
def who_responds() -> ResponseReturnValue:
    """Who responded to the campaigns that are over, as a grid whose cells become a segment."""
    now = request_now()
    with reading() as session:
        found = _grid(session, None, (), (), now)
        view = grid_view(found, (), None)
        segments = [(each.key, each.name) for each in list_segments(session)]
    return render_template("pages/reports/who.html", view=view, grid=found, segments=segments, within="", campaign=None)


@blueprint.get("/campaigns/<key>/report/who-responds")
@part_of("reports.show")
def grid(key: str) -> ResponseReturnValue:
    """Who responded to one campaign, as a fragment."""
    now = request_now()
    with reading() as session:
        campaign = campaign_by_key(session, key)
        found = _grid(session, key, (), (), now)
        view = grid_view(found, (), key)
        segments = [(each.key, each.name) for each in list_segments(session)]
        within = segment_key(session, campaign) or ""
    return render_template("pages/reports/grid_card.html", view=view, grid=found, segments=segments, within=within,
                           campaign=key)


@blueprint.get("/reports/who-responds/selection")
@part_of("reports.who_responds")
def chosen() -> ResponseReturnValue:
    """The sentence of some cells of the grid, as a fragment."""
    campaign, edges, rows, places = _asked(request.args)
    now = request_now()
    with reading() as session:
        found = _grid(session, campaign, edges, rows, now)
        segments = [(each.key, each.name) for each in list_segments(session)]
    return render_template("pages/reports/selection.html", view=grid_view(found, places, campaign), segments=segments,
                           within=request.args.get("within", ""))


@blueprint.post("/reports/who-responds/segment")
def make_segment() -> ResponseReturnValue:
    """Save the rule of the chosen cells as a segment and lead to it; the same choice twice is one segment."""
    campaign, edges, rows, places = _asked(request.form)
    now, who = request_now(), person()
    within = request.form.get("within", "")[:100]
    with writing() as session:
        found = _grid(session, campaign, edges, rows, now)
        words = selection(found, places).words
        rule = rule_for(found, places)
        if within:
            words, rule = f"{segment_by_key(session, within).name}: {words}", {"all": [{"segment": within}, rule]}
        parsed, name = parse_rule(rule), words[:200]
        known = list_segments(session, archived=True)
        key = next((each.key for each in known if each.name == name
                    and segment_rule(session, each.key).to_json() == parsed.to_json()), None)
        if key is None:
            key = key_from(words, taken={each.key for each in known}.__contains__)
            save_segment(session, key, name=name, rule=parsed, author=who.name if who else None, now=now,
                         expected_version=0, description="Made from who responded.")
            record(session, "segment.saved", f"segment:{key}", now=now, source="who responds")
    toast(f"“{name}” is a segment now.", action="Plan a campaign for it", href=url_for("campaigns.new", segment=key))
    return redirect(segment_url(key) or url_for("reports.who_responds"))


def _asked(form: MultiDict[str, str]) -> tuple[str | None, tuple[int, ...], tuple[int, ...], tuple[Place, ...]]:
    """Campaign, revenue edges, order edges and cells of a request. Raises Invalid."""
    try:
        edges, rows = (tuple(int(each) for each in form.getlist(name)[:20] if len(each) < 16)
                       for name in ("edge", "row"))
        places = tuple((int(row), int(column)) for row, column in
                       (each[:20].split(":", 1) for each in form.getlist("cell")[:400]))
    except ValueError as error:
        raise Invalid("These cells do not exist. Open the page again and choose.", place="cell") from error
    return form.get("campaign") or None, edges, rows, places


def _grid(
    session: Session, campaign: str | None, edges: tuple[int, ...], rows: tuple[int, ...], now: datetime
) -> Grid:
    """The grid, kept for some minutes: every click on a cell asks for it again."""
    kept: dict[Any, Grid] = current_app.extensions.setdefault("winback.grids", {})
    key = (campaign, edges, rows, int(now.timestamp()) // GRID_SECONDS)
    if key not in kept:
        found = responders_grid(session, now=now, campaigns=None if campaign is None else [campaign],
                                order_edges=rows or None, revenue_edges=edges or None)
        while len(kept) >= GRIDS_KEPT:
            kept.pop(next(iter(kept)), None)
        kept[key] = kept[campaign, edges_of(found), order_edges_of(found), key[3]] = found
    return kept[key]
