"""When were the letters of a day really posted? Below the resource `messages`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from journeys.walk.posting import posted, read_day
from web.api.messages import blueprint
from web.requests.bodies import Words
from web.requests.transactions import request_now, writing
from web.security.audit import record


class PostingSchema(Schema):
    """The day on which the print shop posted them, such as 2026-11-22."""

    posted_on = Words(longest=10, required=True)


class PostedAnswer(Schema):
    """How many letters are reckoned from that day now."""

    letters = fields.Integer(required=True)


@blueprint.route("/print-runs/<day>/posting", methods=["POST"])
@blueprint.arguments(PostingSchema)
@blueprint.response(200, PostedAnswer)
def letters_posted(body: dict[str, Any], day: str) -> Response:
    """Take over the day on which the letters handed over on `day` were posted; telling it twice is harmless."""
    now = request_now()
    with writing() as session:
        letters = posted(session, read_day(day, "day"), read_day(body["posted_on"], "posted_on"), now=now)
        record(session, "letters.posted", f"print run:{day}"[:200], now=now, posted_on=body["posted_on"],
               letters=letters)
    return jsonify({"letters": letters})
