"""Who stands where in a journey, and which way did one person go? Below the resource `journeys`."""

from datetime import datetime
from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session

from core.errors import Conflict, NotFound
from customers.models import Customer
from journeys.editing import editing
from journeys.models import Enrolment, Journey, Version
from journeys.states import SENTENCES
from journeys.telling.person import passage, visits_of
from journeys.telling.showing import Passenger, people_here, people_who_went, version_of
from web.api.customers import clean
from web.requests.bodies import Page, Resource, Words, listed, page_of
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-journey-people", __name__, url_prefix="/api/v1",
                     description="The people of a journey: where they stand, which way they went, who was set aside.")

_MOST = 2**62


class PeopleFilter(Page):
    """Whom to list; everything left out: everybody who entered the newest version. `step` alone: who stands there now;
    with `outcome`: who went that way. `state`: inside, or one of the states; `left`: the reason for leaving."""

    version = fields.Integer(validate=validate.Range(1, 2**31 - 1))
    step = Words(longest=60)
    outcome = Words(longest=100)
    state = Words(longest=20, validate=validate.OneOf(["inside", *SENTENCES]))
    left = Words(longest=60)
    held_out = fields.Boolean()


class PassengerSchema(Schema):
    """One person of a list: since when, what is waited for, and why in words."""

    id = fields.Integer(required=True)
    customer = fields.String(required=True)
    arm = fields.String(required=True, allow_none=True)
    channel = fields.String(required=True, allow_none=True)
    state = fields.String(required=True)
    at = fields.String(required=True)
    due_at = fields.String(required=True, allow_none=True)
    outcome = fields.String(required=True, allow_none=True)
    why = fields.String(required=True)


class PassengerPage(Schema):
    """One page of people."""

    items = fields.List(fields.Nested(PassengerSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class VisitSchema(Schema):
    """One step that the person passed, or stands at (`left_at` null)."""

    step = fields.String(required=True)
    entered_at = fields.String(required=True)
    left_at = fields.String(required=True, allow_none=True)
    outcome = fields.String(required=True, allow_none=True)
    why = fields.String(required=True, allow_none=True)


class PathAnswer(Schema):
    """One passage, read from the beginning: every step with what came of it and why."""

    id = fields.Integer(required=True)
    journey = fields.String(required=True)
    customer = fields.String(required=True)
    version = fields.Integer(required=True)
    arm = fields.String(required=True, allow_none=True)
    held_out = fields.Boolean(required=True)
    state = fields.String(required=True)
    step = fields.String(required=True, allow_none=True)
    entered_at = fields.String(required=True)
    left_at = fields.String(required=True, allow_none=True)
    why = fields.String(required=True)
    visits = fields.List(fields.Nested(VisitSchema), required=True)


class SetAsideSchema(Schema):
    """What happens to people who were set aside after an error: they walk again from where they stood (`again`), or
    are let out for good (`release`). `enrolment`: one of them; left out: all."""

    act = Words(longest=10, required=True, validate=validate.OneOf(["again", "release"]))
    enrolment = fields.Integer(strict=True, validate=validate.Range(1, _MOST))


class DoneAnswer(Schema):
    """How many people it was done to."""

    people = fields.Integer(required=True)


@blueprint.route("/journeys/<key>/enrolments", methods=["GET"])
@blueprint.arguments(PeopleFilter, location="query")
@blueprint.response(200, PassengerPage)
def index(asked: dict[str, Any], key: str) -> Response:
    """List the people behind a number of the drawing, in the order in which they entered."""
    after, limit = page_of(asked)
    step, outcome, held_out = asked.get("step"), asked.get("outcome"), asked.get("held_out")
    with reading() as session:
        version = _version(session, editing.journey_by_key(session, clean(key, "key")), asked.get("version"))
        if step is not None and outcome is not None:
            found, following = people_who_went(session, version, step=step, outcome=outcome, after=after, limit=limit)
        else:
            found, following = people_here(session, version, step=step, state=asked.get("state"),
                                           left=asked.get("left"), held_out=held_out, after=after, limit=limit)
    return jsonify(listed([_line(each) for each in found], following))


@blueprint.route("/journeys/<key>/enrolments/<int:number>", methods=["GET"])
@blueprint.response(200, PathAnswer)
def path(key: str, number: int) -> Response:
    """Tell the way of one person through one passage, step by step."""
    key = clean(key, "key")
    with reading() as session:
        stored = session.get(Enrolment, number) if number <= _MOST else None
        if stored is None or editing.journey_by_key(session, key).id != stored.journey_id:
            raise NotFound(f"The journey {key} has no such passage.")
        found = passage(session, stored.customer_id, number)
        one = found.enrolment
        return jsonify({
            "id": one.id, "journey": key, "customer": session.get_one(Customer, one.customer_id).external_id,
            "version": found.version.number, "arm": one.arm, "held_out": one.held_out, "state": one.state,
            "step": one.step, "entered_at": _text(one.entered_at), "left_at": _text(one.left_at), "why": found.why,
            "visits": [{"step": visit.step, "entered_at": _text(visit.entered_at), "left_at": _text(visit.left_at),
                        "outcome": visit.outcome, "why": visit.detail} for visit in visits_of(session, one.id)]})


@blueprint.route("/journeys/<key>/set-aside", methods=["POST"])
@blueprint.arguments(SetAsideSchema)
@blueprint.response(200, DoneAnswer)
def set_aside(body: dict[str, Any], key: str) -> Response:
    """Try people again who were set aside after an error, or let them out. A second request finds nobody."""
    now, key, only = request_now(), clean(key, "key"), body.get("enrolment")
    with writing() as session:
        act = editing.let_in_again if body["act"] == "again" else editing.release
        people = act(session, key, only=only, now=now)
        if only is not None and not people:
            raise Conflict("This person is not set aside, or not any more.")
        record(session, f"journey.{'let_in_again' if body['act'] == 'again' else 'released'}", f"journey:{key}",
               now=now, people=people, **({} if only is None else {"enrolment": only}))
        return jsonify({"people": people})


def _version(session: Session, journey: Journey, number: int | None) -> Version:
    found = editing.newest_version(session, journey) if number is None else version_of(session, journey, number)
    if found is None:
        raise NotFound(f"{journey.name} was never published." if number is None
                       else f"{journey.name} has no version {number}.")
    return found


def _line(one: Passenger) -> dict[str, Any]:
    return {"id": one.enrolment_id, "customer": one.customer, "arm": one.arm, "channel": one.channel,
            "state": one.state, "at": _text(one.at), "due_at": _text(one.due_at), "outcome": one.outcome,
            "why": one.why}


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")
