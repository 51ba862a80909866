"""How does a Shopware shop register? Both addresses of its handshake; what they mean stands in web/shops."""

from flask import Blueprint, Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from core.clock import wall_now
from core.errors import WinbackError
from web.requests.errors import status_of
from web.requests.transactions import reading, request_now, writing
from web.requests.wired import settings
from web.security.audit import record
from web.shops.shopware_app import Asked, answer_registration, confirm_registration

blueprint = Blueprint("hooks-shopware-app", __name__)

LARGEST_BODY_BYTES = 64 * 1024


@blueprint.get("/hooks/shopware/<public_id>/register")
def register(public_id: str) -> ResponseReturnValue:
    """Prove that we know the app's secret and name one for this shop; nothing is stored yet."""
    asked = Asked(request.query_string, request.args.to_dict(), _headers())
    confirm_url = settings().base_url + url_for("hooks-shopware-app.confirm", public_id=public_id)
    try:
        with reading() as session:
            answer = answer_registration(session, public_id, asked, confirm_url=confirm_url,
                                         secret_key=settings().secret_key, wall_seconds=int(wall_now().timestamp()))
    except WinbackError as error:
        return _refused(error)
    response = jsonify(answer)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/hooks/shopware/<public_id>/confirm")
def confirm(public_id: str) -> ResponseReturnValue:
    """Take the secret into use, now that the shop has signed with it."""
    request.max_content_length = LARGEST_BODY_BYTES
    body, now = request.get_data(cache=True), request_now()
    try:
        with writing() as session:
            if confirm_registration(session, public_id, body, _headers(), secret_key=settings().secret_key, now=now):
                record(session, "shop.registered", f"shop:{public_id}", now=now)
    except WinbackError as error:
        return _refused(error)
    return jsonify(registered=True)


def _headers() -> dict[str, str]:
    return {name.lower(): value[:500] for name, value in request.headers.items()}


def _refused(error: WinbackError) -> tuple[Response, int]:
    """A refusal in the words that the shop's administration shows."""
    return jsonify(error=error.message), status_of(error)
