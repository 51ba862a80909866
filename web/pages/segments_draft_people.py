"""The people behind a number of the builder: of a draft that need not be saved, or of one part of its reach."""

import json
from datetime import UTC, datetime

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Invalid
from segments.language.rules import parse_rule
from web.builder import numbers as counting
from web.builder import reaching
from web.builder.draft import draft_of, read_json
from web.builder.figures import month_ended
from web.frame.paging import stored_number
from web.pages.segments import blueprint
from web.requests.questions import questions
from web.requests.transactions import reading, request_now
from web.requests.wired import settings

PAGE = 50


@blueprint.get("/segments/_people")
def draft_people() -> ResponseReturnValue:
    """Everybody a rule finds (`rule`, JSON), or one `part` of the reach, page by page; `at` asks as of a moment."""
    now, part = request_now(), request.args.get("part", "")[:300]
    at, after = _moment(request.args.get("at", ""), now), request.args.get("after", 0, type=stored_number)
    rule = parse_rule(read_json(request.args.get("rule", "")))
    answer = questions().ids(rule, as_of=at, fresh=False)
    secret = settings().secret_key
    with reading() as session:
        everybody = reaching.people_in(session, answer.value, part, now=now, secret_key=secret)
        ids = [customer_id for customer_id in everybody if customer_id > after]
        members = counting.members(session, draft_of(rule.to_json()), ids[:PAGE], now=now, secret_key=secret)
    kept = {name: request.args.get(name) for name in ("rule", "part", "name", "key", "at")}

    def page(last: int | None) -> str:
        return url_for("segments.draft_people", **{**kept, "after": last})  # type: ignore[arg-type]

    is_spread = bool(part) and len(answer.value) > reaching.MOST_REACHED
    return render_template(
        "pages/segments/draft_people.html", members=members, total=len(everybody), part=part,
        words=reaching.part_words(part), key=kept["key"], name=kept["name"] or "",
        following=page(ids[PAGE - 1]) if len(ids) > PAGE else None,
        first=page(None) if after else None,
        spread=reaching.MOST_REACHED if is_spread else None, at=month_ended(at) if at != now else None,
        builder=url_for("segments.new", rule=json.dumps(rule.to_json()), name=kept["name"] or None))


def _moment(text: str, now: datetime) -> datetime:
    if not text:
        return now
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"“{text[:40]}” is no moment.", place="at") from error
    return min(at if at.tzinfo else at.replace(tzinfo=UTC), now)
