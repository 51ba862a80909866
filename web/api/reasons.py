"""Why did a person get, or not get, what a campaign sent? Below the resource `customers`."""

from flask import Response, current_app, jsonify
from marshmallow import Schema, fields

from campaigns.planning import campaign_by_key
from customers.people import find_customer
from web.people.why_not import why_not
from web.requests.bodies import Resource
from web.requests.transactions import reading, request_now

blueprint = Resource("api-reasons", __name__, url_prefix="/api/v1",
                     description="One sentence per person and campaign, from the ledger, the enrolment and the rules.")


class WhyAnswer(Schema):
    """The sentence, and what else is known about it."""

    sentence = fields.String(required=True)
    more = fields.String(required=True)


@blueprint.route("/campaigns/<key>/why/<path:customer>", methods=["GET"])
@blueprint.response(200, WhyAnswer)
def why(key: str, customer: str) -> Response:
    """Say why this customer did, or did not, get what the campaign sent."""
    now = request_now()
    with reading() as session:
        answer = why_not(session, find_customer(session, customer.replace("\x00", "")),
                         campaign_by_key(session, key.replace("\x00", "")), now=now,
                         zone=current_app.config["WINBACK_ZONE"])
    return jsonify({"sentence": answer.sentence, "more": answer.more})
