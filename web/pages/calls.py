"""The call desk: what waits, one call with its script and code, and what came of it. Two agents never hold one call."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.planning import list_campaigns
from core.errors import Conflict, Invalid
from core.types import from_us, to_us
from delivery.calls import NoCall, record_outcome, release_call, take_call
from delivery.desk import calls_on_desk, desk_counts, held_by
from journeys.exits.objecting import objections
from web.frame.presentation import zone
from web.frame.toasts import toast
from web.requests.transactions import reading, request_now, writing
from web.requests.wired import sending, settings
from web.security.access import needs_role, person
from web.security.audit import record

blueprint = Blueprint("calls", __name__)

PAGE = 50
CALLERS = ("admin", "marketer", "agent")
OUTCOMES = (
    ("reached", "reached", "They heard it. Nothing more is sent for this step."),
    ("not_interested", "reached, not interested", "They heard it and do not want the offer."),
    ("no_answer", "no answer", "Comes back tomorrow."),
    ("busy", "busy", "Comes back in an hour."),
    ("callback", "call again at an agreed time", "Write the time below."),
    ("wrong_number", "wrong number", "The number is not called again."),
    ("do_not_call", "do not call any more", "Counts at once and for every campaign."),
)
OUTCOME_WORDS = {value: words for value, words, _hint in OUTCOMES}


def nav_count(session: Session, now: datetime) -> int:
    """Calls that wait to be taken now."""
    return desk_counts(session, now=now)[0]


def _agent() -> str:
    """Who holds a call: name and address, so that two people of one name are two."""
    who = person()
    return f"{who.name} ({who.email})"[:200] if who else ""


@blueprint.get("/calls")
def index() -> ResponseReturnValue:
    """What waits, longest due first."""
    now, after = request_now(), _after(request.args.get("after"))
    with reading() as session:
        lines = calls_on_desk(session, now=now, limit=PAGE + 1, after=after)
        mine = calls_on_desk(session, now=now, agent=_agent())
        waiting, later = desk_counts(session, now=now)
        names = {each.key: each.name for each in list_campaigns(session)}
    shown, last = lines[:PAGE], lines[PAGE - 1] if len(lines) > PAGE else None
    following = url_for("calls.index", after=f"{to_us(last.due_at)}.{last.task_id}") if last else None
    who = person()
    return render_template("pages/calls/index.html", lines=shown, mine=mine, waiting=waiting, later=later, names=names,
                           next_href=following, first_href=url_for("calls.index") if after else None,
                           outcome_words=OUTCOME_WORDS, may=who is not None and who.role in CALLERS)


def _after(text: str | None) -> tuple[int, int] | None:
    if not text:
        return None
    due, _, last = text.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in (due, last)):
        raise Invalid("This page of the list does not exist. Go back to the first page.", place="after")
    return int(due), int(last)


@blueprint.post("/calls/<int:number>/take")
@needs_role(*CALLERS)
def take(number: int) -> ResponseReturnValue:
    """Take a call; whether it may still be made is asked again now."""
    now = request_now()
    try:
        with writing() as session:
            found = take_call(session, _task(number), agent=_agent(), now=now, settings=sending(session),
                              objecting=objections)
            record(session, "call.taken", f"call:{number}", now=now)
    except Conflict as error:
        toast(error.message, kind="refused")
        return redirect(url_for("calls.index"))
    if isinstance(found, NoCall):
        toast(f"This call is not made any more: {found.reason}.", kind="refused")
        return redirect(url_for("calls.index"))
    return redirect(url_for("calls.show", number=number))


def _task(number: int) -> int:
    return number if number < 2**62 else 0


@blueprint.get("/calls/<int:number>")
@needs_role(*CALLERS)
def show(number: int) -> ResponseReturnValue:
    """The sheet of a call that this agent holds; looking takes no call."""
    with reading() as session:
        if not held_by(session, _task(number), agent=_agent()):
            toast("You do not hold this call. Take it from the list.", kind="refused")
            return redirect(url_for("calls.index"))
    return _sheet(number)


def _sheet(number: int, *, wrong: dict[str, str] | None = None) -> str | Response:
    now = request_now()
    with writing() as session:  # the policy is asked again, and may take the call off the desk
        found = take_call(session, _task(number), agent=_agent(), now=now, settings=sending(session),
                          objecting=objections)
    if isinstance(found, NoCall):
        toast(f"This call is not made any more: {found.reason}.", kind="refused")
        return _to_the_desk()
    return render_template("pages/calls/show.html", sheet=found, outcomes=OUTCOMES, wrong=wrong or {},
                           form=request.form, outcome_words=OUTCOME_WORDS, zone_name=zone())


def _to_the_desk() -> Response:
    response = make_response("", 302)
    response.headers["Location"] = url_for("calls.index")
    return response


@blueprint.post("/calls/<int:number>/outcome")
@needs_role(*CALLERS)
def outcome(number: int) -> ResponseReturnValue:
    """Write down what came of a call. A second click on the same outcome changes nothing."""
    now, form = request_now(), request.form
    chosen = form.get("outcome", "")
    try:
        again_at = _agreed(form.get("again_at", ""), now) if chosen == "callback" else None
        with writing() as session:
            record_outcome(session, _task(number), agent=_agent(), outcome=chosen, note=_note(form.get("note", "")),
                           again_at=again_at, now=now, secret_key=settings().secret_key)
            record(session, "call.done", f"call:{number}", now=now, outcome=chosen)
    except Invalid as error:
        with reading() as session:
            if not held_by(session, _task(number), agent=_agent()):
                raise
        answer = make_response(_sheet(number, wrong={error.place or "outcome": error.message}))
        answer.status_code = 400 if answer.status_code == 200 else answer.status_code
        return answer
    except Conflict as error:
        toast(error.message, kind="refused")
        return redirect(url_for("calls.index"))
    toast(f"Noted: {OUTCOME_WORDS[chosen]}.")
    return redirect(url_for("calls.index"))


def _note(text: str) -> str | None:
    kept = "".join(letter for letter in text.strip()[:4000] if letter != "\0" and not 0xD800 <= ord(letter) < 0xE000)
    return kept or None


def _agreed(text: str, now: datetime) -> datetime:
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone()))
        instant = local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("Write the day and time that were agreed.", place="again_at") from None
    if not now < instant <= from_us(to_us(now) + 366 * 86_400_000_000):
        raise Invalid("Agree a time that is still to come, within a year.", place="again_at")
    return instant


@blueprint.post("/calls/<int:number>/release")
@needs_role(*CALLERS)
def release(number: int) -> ResponseReturnValue:
    """Put a call back on the desk."""
    now = request_now()
    try:
        with writing() as session:
            release_call(session, _task(number), agent=_agent())
            record(session, "call.released", f"call:{number}", now=now)
    except Conflict as error:
        toast(error.message, kind="refused")
    else:
        toast("The call is back on the desk.")
    return redirect(url_for("calls.index"))
