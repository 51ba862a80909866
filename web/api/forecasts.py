"""What would happen if a campaign ran from now on? Below the resource `campaigns`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from journeys.forecasting.asking import Wish, ask, forecast_of
from journeys.forecasting.playing import LONGEST_DAYS, USUAL_DAYS
from journeys.models import Forecast
from reporting.results import instant_text
from web.api.campaigns import blueprint
from web.campaigns.approvals import asking_person
from web.requests.bodies import Exact, Whole
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record


class WishSchema(Schema):
    """How many days, and rates from 0 to 1 that go before history: of those a code reaches, and of everybody."""

    days = Whole(least=1, most=LONGEST_DAYS, load_default=USUAL_DAYS)
    redemption_rate = Exact(least=0, most=1, places=6, allow_none=True)
    order_rate = Exact(least=0, most=1, places=6, allow_none=True)


class ForecastAnswer(Schema):
    """An asking and, once `state` is done, its answer; `problem` says why there is none."""

    id = fields.Integer(required=True)
    campaign = fields.String(required=True)
    state = fields.String(required=True)
    asked = fields.Dict(required=True)
    asked_at = fields.String(required=True)
    finished_at = fields.String(required=True, allow_none=True)
    problem = fields.String(required=True, allow_none=True)
    answer = fields.Dict(required=True, allow_none=True)


@blueprint.route("/campaigns/<key>/forecasts", methods=["POST"])
@blueprint.arguments(WishSchema, required=False)
@blueprint.response(202, ForecastAnswer)
def ask_forecast(body: dict[str, Any], key: str) -> Response:
    """Ask what would happen; a worker plays it and the answer stands at the forecast's own address."""
    now, key = request_now(), key.replace("\x00", "")
    with writing() as session:
        row = ask(session, key, _wish(body), by=asking_person().name, now=now)
        record(session, "forecast.asked", f"campaign:{key}", now=now, forecast=row.id)
        response = jsonify(_body(row, key))
    response.status_code = 202
    return response


@blueprint.route("/campaigns/<key>/forecasts/<int:number>", methods=["GET"])
@blueprint.response(200, ForecastAnswer)
def one_forecast(key: str, number: int) -> Response:
    """Say whether a forecast is done, and what it found."""
    key = key.replace("\x00", "")
    with reading() as session:
        row = forecast_of(session, key, min(number, 2**62))
        assert row is not None
        return jsonify(_body(row, key))


def _wish(body: dict[str, Any]) -> Wish:
    rates = {name: None if body.get(name) is None else float(body[name]) for name in ("redemption_rate", "order_rate")}
    return Wish(body.get("days", USUAL_DAYS), **rates)


def _body(row: Forecast, campaign: str) -> dict[str, Any]:
    answer = row.answer or {}
    return {"id": row.id, "campaign": campaign, "state": row.state, "asked": row.asked,
            "asked_at": instant_text(row.asked_at),
            "finished_at": instant_text(row.finished_at),
            "problem": answer.get("problem"), "answer": answer if row.state == "done" else None}
