"""Who is in a segment, who came and left, and who is on a list? The resource `segments`, people by people."""

from typing import Any

from flask import Response, g, jsonify
from marshmallow import Schema, fields

from core.errors import Conflict, Invalid
from coupons.codes.showing import instant_text
from customers.people import numbers_of
from segments.membership.refreshing import refresh
from segments.membership.snapshots import freeze
from segments.membership.stays import Place, members, moves
from segments.saving.lists import Entry, Outcome, add_people, make_list, remove_people
from segments.saving.saved import segment_by_key, segment_rule
from web.requests.bodies import Page, Resource, Words, listed, page_of
from web.requests.questions import questions
from web.requests.transactions import database, reading, request_now, writing
from web.security.audit import record

blueprint = Resource("api-segment-people", __name__, url_prefix="/api/v1", description="The people of audiences.")


class ListSchema(Schema):
    """A new static list."""

    key = Words(longest=100, required=True)
    name = Words(longest=200, required=True)


class PeopleSchema(Schema):
    """Customer numbers or e-mail addresses to put onto a list and to take off it."""

    add = fields.List(Words(longest=320), load_default=list)
    remove = fields.List(Words(longest=320), load_default=list)


@blueprint.route("/segments/<key>/members", methods=["GET"])
@blueprint.arguments(Page, location="query")
@blueprint.response(200)
def index(asked: dict[str, Any], key: str) -> Response:
    """Everybody in since the newest refresh, with the instant they came in; in no order that means anything."""
    after, limit = page_of(asked)
    with reading() as session:
        segment = segment_by_key(session, key)
        found = members(session, segment, after=after, limit=limit + 1)
        numbers = numbers_of(session, [one.customer_id for one in found])
    items = [{"customer": numbers.get(one.customer_id), "entered_at": instant_text(one.entered_at)}
             for one in found[:limit]]
    return jsonify(listed(items, found[limit - 1].customer_id if len(found) > limit else None))


@blueprint.route("/segments/<key>/moves", methods=["GET"])
@blueprint.arguments(Page, location="query")
@blueprint.response(200)
def log(asked: dict[str, Any], key: str) -> Response:
    """Who came in and who left, oldest first. Keep `next` and ask again later to follow a segment."""
    limit = page_of({**asked, "after": None})[1]
    place = _place(asked["after"])
    with reading() as session:
        segment = segment_by_key(session, key)
        found = moves(session, segment, after=place, limit=limit)
        numbers = numbers_of(session, [move.place.customer_id for move in found])
    items = [{"customer": numbers.get(move.place.customer_id), "move": "left" if move.place.left else "entered",
              "at": instant_text(move.at), "version": move.version, "refresh": move.place.refresh_id} for move in found]
    last = found[-1].place if found else place
    return jsonify(listed(items, f"{last.refresh_id}-{int(last.left)}-{last.customer_id}"))


def _place(text: str | None) -> Place:
    if text is None:
        return Place()
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise Invalid("Use the value that the page before gave as next.", place="after")
    return Place(int(parts[0]), parts[1] != "0", int(parts[2]))


@blueprint.route("/segments/<key>/refresh", methods=["POST"])
@blueprint.response(200)
def refresh_now(key: str) -> Response:
    """Work the members out now and say who came and left. 409 while another refresh is under way."""
    now = request_now()
    found = refresh(database(), questions(), key, now=now)
    if found is None:
        raise Conflict(f'The segment "{key}" is being refreshed at this moment. Ask again shortly.')
    return jsonify({"key": key, "members": found.members, "entered": found.entered, "left": found.left,
                    "version": found.version, "as_of": instant_text(found.as_of), "engine": found.engine,
                    "took_ms": found.took_ms})


@blueprint.route("/segments/lists", methods=["POST"])
@blueprint.arguments(ListSchema)
@blueprint.response(201)
def create_list(body: dict[str, Any]) -> tuple[Response, int]:
    """Make an empty static list."""
    now = request_now()
    with writing() as session:
        segment = make_list(session, body["key"], name=body["name"], author=f"key {g.api_key.name}"[:200], now=now)
        record(session, "list.made", f"segment:{segment.key}", now=now)
        answer = {"key": segment.key, "name": segment.name, "kind": segment.kind}
    return jsonify(answer), 201


@blueprint.route("/segments/<key>/people", methods=["POST"])
@blueprint.arguments(PeopleSchema)
@blueprint.response(200)
def change(body: dict[str, Any], key: str) -> Response:
    """Put people onto a list and take people off it; who is not known is told with the place in the list sent."""
    now = request_now()
    with writing() as session:
        added = add_people(session, key, _entries(body["add"]), now=now)
        removed = remove_people(session, key, _entries(body["remove"]), now=now)
        record(session, "list.changed", f"segment:{key}", now=now, added=added.changed, removed=removed.changed)
    return jsonify({"added": added.changed, "removed": removed.changed,
                    "unknown": [*_unknown("add", added), *_unknown("remove", removed)]})


def _entries(values: list[str]) -> list[Entry]:
    return [Entry(number, value) for number, value in enumerate(values, 1)]


def _unknown(where: str, found: Outcome) -> list[dict[str, Any]]:
    return [{"place": f"{where}[{entry.line - 1}]", "value": entry.value} for entry in found.unknown]


@blueprint.route("/segments/<key>/snapshots", methods=["POST"])
@blueprint.response(201)
def snapshot(key: str) -> tuple[Response, int]:
    """Freeze the people of now as a snapshot, a segment that never changes."""
    now = request_now()
    with reading() as session:
        rule = segment_rule(session, key)
    answer = questions().ids(rule, as_of=now)
    with writing() as session:
        made = freeze(session, key, now=now, members=answer.value, engine=answer.engine,
                      author=f"key {g.api_key.name}"[:200])
        record(session, "segment.frozen", f"segment:{made.key}", now=now, of=key, people=len(answer.value))
        found = {"key": made.key, "name": made.name, "kind": made.kind, "people": len(answer.value),
                 "taken_at": instant_text(now)}
    return jsonify(found), 201
