"""What would happen if a campaign ran from now on: asked for, waited for, and read."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key
from campaigns.problems import InvalidPlan
from core.errors import Invalid
from journeys.editing.editing import newest_version
from journeys.forecasting.asking import OPEN, Wish, ask, forecast_of
from journeys.forecasting.playing import USUAL_DAYS
from journeys.models import Forecast
from journeys.telling.overview import journeys_by_campaign
from web.frame.fragments import part_of
from web.frame.plots import small_line
from web.journeys.view import names_of
from web.journeys.words import step_name
from web.pages.campaigns import CHANNEL_WORDS, blueprint
from web.requests.transactions import reading, request_now, writing
from web.security.access import person
from web.security.audit import record
from web.wording.amounts import read_decimal

PAGE = "pages/campaigns/forecast.html"


@blueprint.get("/campaigns/<key>/forecast")
def forecast(key: str) -> ResponseReturnValue:
    """The newest forecast of a campaign, and the form for the next one."""
    with reading() as session:
        campaign = campaign_by_key(session, key)
        row = forecast_of(session, key)
        names, offers = _names(session, campaign)
    return render_template(PAGE, campaign=campaign, **_view(row), typed=_typed(row), problems={}, here=True,
                           names=names, offers=offers)


@blueprint.get("/campaigns/<key>/forecast/strip")
@part_of("campaigns.forecast")
def forecast_strip(key: str) -> ResponseReturnValue:
    """The newest forecast as a strip of the campaign's page; asks again while one is being worked out. On the page of
    the forecast itself (`?here=`) the whole page is read anew once there is an answer."""
    here = bool(request.args.get("here"))
    with reading() as session:
        campaign = campaign_by_key(session, key)
        row = forecast_of(session, key)
        offers = names_of(session).offers
    view = _view(row)
    response = make_response(render_template("pages/campaigns/forecast_strip.html", campaign=campaign, **view,
                                             here=here, offers=offers))
    if here and not view["waiting"]:
        response.headers["HX-Refresh"] = "true"
    return response


@blueprint.post("/campaigns/<key>/forecast")
def ask_for_forecast(key: str) -> ResponseReturnValue:
    """Ask what would happen; a worker plays it."""
    now, who = request_now(), person()
    try:
        with writing() as session:
            row = ask(session, key, _wish(), by=who.name if who else None, now=now)
            record(session, "forecast.asked", f"campaign:{key}", now=now, forecast=row.id)
    except Invalid as error:
        with reading() as session:
            campaign = campaign_by_key(session, key)
            newest = forecast_of(session, key)
            names, offers = _names(session, campaign)
        problems = ({problem.place: f"{problem.message} {problem.fix}" for problem in error.problems}
                    if isinstance(error, InvalidPlan) else {error.place or "days": error.message})
        return render_template(PAGE, campaign=campaign, **_view(newest), typed=request.form, problems=problems,
                               here=True, names=names, offers=offers), 400
    return redirect(url_for("campaigns.forecast", key=key))


def _names(session: Session, campaign: Campaign) -> tuple[dict[str, str], Mapping[str, str]]:
    """What the steps that were walked are called, those of the version that runs or else of the draft; and offers."""
    names = names_of(session)
    journey = journeys_by_campaign(session).get(campaign.id)
    if journey is None:
        return {}, names.offers
    version = newest_version(session, journey)
    graph = journey.draft if version is None else version.graph
    steps = graph.get("steps")
    walked = steps if isinstance(steps, dict) else {}
    return {key: step_name(graph, key, names) for key in walked}, names.offers


def _wish() -> Wish:
    rates: dict[str, float | None] = {}
    for name in ("redemption_rate", "order_rate"):
        text = request.form.get(name, "").strip().removesuffix("%").strip()
        rates[name] = float(read_decimal(text, place=name)) / 100 if text else None
    days = request.form.get("days", "").strip()
    return Wish(int(read_decimal(days, place="days")) if days else USUAL_DAYS, **rates)


def _typed(row: Forecast | None) -> dict[str, str]:
    asked = {} if row is None else row.asked
    typed = {name: f"{100 * asked[name]:g}" for name in ("redemption_rate", "order_rate")
             if asked.get(name) is not None}
    return {"days": str(asked.get("days", USUAL_DAYS)), **typed}


def _view(row: Forecast | None) -> dict[str, Any]:
    """What the templates show of a forecast; `found` is None while there is none."""
    answer = None if row is None else row.answer
    found = answer if row is not None and row.state == "done" else None
    view: dict[str, Any] = {"row": row, "found": found, "waiting": row is not None and row.state in OPEN,
                            "problem": (answer or {}).get("problem"), "channels": CHANNEL_WORDS}
    if found is None:
        return view
    days = found["days"]
    told = [sum(found["messages"].get(channel, {}).get(day, 0) for channel in found["messages"]) for day in days]
    rows = [(date.fromisoformat(day), [found["messages"].get(channel, {}).get(day, 0) for channel in CHANNEL_WORDS],
             sum(step["by_day"].get(day, 0) for step in found["steps"][:1])) for day in days]
    busiest = max(zip(told, days, strict=True), default=(0, ""))
    spoken = (f"Messages a day over {len(days)} days; most on {busiest[1]}: {busiest[0]:,}." if any(told)
              else "Nothing would be said in these days.")
    shown = [row for row in rows if row[2] or any(row[1])]
    return view | {"line": small_line(told) if any(told) else None, "spoken": spoken, "by_day": shown,
                   "first": date.fromisoformat(days[0]) if days else None,
                   "last": date.fromisoformat(days[-1]) if days else None}
