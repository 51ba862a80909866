"""The people of a segment, page by page."""

from flask import current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue

from segments.saving.saved import segment_by_key, segment_rule
from web.builder import numbers as counting
from web.builder.draft import draft_of
from web.frame.paging import stored_number
from web.pages.segments import blueprint
from web.requests.questions import questions
from web.requests.transactions import reading, request_now

PAGE = 50


@blueprint.get("/segments/<key>/people")
def people(key: str) -> ResponseReturnValue:
    """Everybody in a saved segment, page by page."""
    now = request_now()
    after = request.args.get("after", 0, type=stored_number)
    with reading() as session:
        segment, rule = segment_by_key(session, key), segment_rule(session, key)
    answer = questions().ids(rule, as_of=now, fresh=False)
    ids = [customer_id for customer_id in answer.value if customer_id > after]
    secret = current_app.extensions["winback.settings"].secret_key
    with reading() as session:
        found = counting.members(session, draft_of(rule.to_json()), ids[:PAGE], now=now, secret_key=secret)
    following = url_for("segments.people", key=key, after=ids[PAGE - 1]) if len(ids) > PAGE else None
    return render_template("pages/segments/people.html", segment=segment, members=found, total=len(answer.value),
                           following=following, first=after > 0, as_of=answer.facts_at)
