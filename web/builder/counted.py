"""What does a draft mean in people, at this moment?

Owns the answers that the builder's templates draw: the total, ten people, the reach. They come from the newest
generation of the mirror as it is, so that nobody who types waits for a refresh; the page says how fresh the facts are.
"""

from typing import Any

from flask import url_for

from core.errors import NotReady, WinbackError
from segments.language.rules import parse_rule
from web.builder import numbers as counting
from web.builder import reaching
from web.builder.figures import rule_text
from web.builder.lines import Around
from web.builder.state import State
from web.builder.view import Shown, mark_of
from web.requests.questions import questions
from web.requests.transactions import reading, request_now
from web.requests.wired import settings


def total_of(state: State, around: Around) -> dict[str, Any]:
    """The total with its share of everybody; `total` None when there is none, with `why`."""
    now, asker, mark = request_now(), questions(), mark_of(state.rule_text)
    found: dict[str, Any] = {"total": None, "why": None, "waiting": False, "shown": Shown(mark)}
    if counting.has_problem(state.draft, around):
        lefts = Shown(mark, counting.lefts(state.draft, asker, around, now=now))
        return {**found, "why": "Mend the line in red; then people are counted again.", "lefts": lefts}
    try:
        total = asker.count(state.rule(), as_of=now, fresh=False)
        base = asker.count(parse_rule({"all": []}), as_of=now, fresh=False).value
    except NotReady as error:
        asker.refresh(now=now)  # a base that has just grown large; while another process builds, this does nothing
        return {**found, "why": error.message, "waiting": True}
    except WinbackError as error:
        return {**found, "why": error.message}
    return {**found, "total": total, "base": base, "shown": Shown(mark, {}, total.value)}


def whole_page(state: State, around: Around) -> dict[str, Any]:
    """Total, lines, people and reach at once, for a browser without JavaScript."""
    found = total_of(state, around)
    if found["total"] is None:
        return found
    mark, reach = mark_of(state.rule_text), reach_of(state)
    lefts = Shown(mark, counting.lefts(state.draft, questions(), around, now=request_now()))
    return {**found, **sample_of(state), "reach": reach, "shown": shown_with(reach, mark), "lefts": lefts}


def shown_with(reach: reaching.Reach, mark: str) -> Shown:
    """The total, and the reach where it was worked out for everybody."""
    return Shown(mark, {}, reach.total, reach.reachable if reach.of == reach.total else None)


def sample_of(state: State) -> dict[str, Any]:
    """Ten of the people, another ten for each draw, and how many there are to draw from."""
    now = request_now()
    drawn = questions().sample(state.rule(), as_of=now, size=500, fresh=False).value
    start = state.draw * counting.DRAWN_AT_ONCE % max(len(drawn), 1)
    with reading() as session:
        members = counting.members(session, state.draft, drawn[start:start + counting.DRAWN_AT_ONCE], now=now,
                                   secret_key=settings().secret_key)
    return {"members": members, "drawn": len(drawn)}


def reach_of(state: State) -> reaching.Reach:
    """Who can be reached; every part leads to its people while the rule fits into an address."""
    now, rule = request_now(), state.rule()
    ids = questions().ids(rule, as_of=now, fresh=False).value
    text = rule_text(rule)

    def href(part: str) -> str | None:
        return None if text is None else url_for("segments.draft_people", rule=text, part=part or None,
                                                 name=state.name[:200] or None, key=state.key or None)

    with reading() as session:
        return reaching.reach(session, ids, now=now, secret_key=settings().secret_key, href=href)
