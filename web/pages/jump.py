"""The jump box (Ctrl-K) and the way to the first page.

Owns the search behind the jump box: every page module may offer `find(session, words)`. Answers at most 12 places.
"""

from itertools import islice

from flask import Blueprint, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from web.frame.navigation import navigation
from web.registry import Found, registry
from web.requests.transactions import reading

blueprint = Blueprint("jump", __name__)

MOST_FOUND = 12
MOST_PER_FINDER = 5


@blueprint.get("/start")
def start() -> ResponseReturnValue:
    """Go to the first page of the side bar."""
    groups = navigation()
    return redirect(groups[0][1][0].href if groups else "/style-guide")


@blueprint.get("/jump")
def search() -> ResponseReturnValue:
    """Find places by words: `{"items": [{"label", "hint", "href", "icon"}]}`."""
    words = request.args.get("q", "").strip()[:100]
    found: list[Found] = []
    if words:
        with reading() as session:
            for finder in registry().finders:
                found += islice(finder(session, words), MOST_PER_FINDER)
    items = [{"label": f.label, "hint": f.hint, "href": f.href, "icon": f.icon} for f in found[:MOST_FOUND]]
    return jsonify({"items": items})
