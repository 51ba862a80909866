"""Settings: whom the house leaves out of every campaign."""

import json
from datetime import datetime
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from campaigns.standing import Standing, list_standing, remove_standing, save_standing, standing_by_key
from campaigns.standing_numbers import numbers_of, with_numbers
from core.errors import Conflict, Invalid, WinbackError
from segments.language.conditions import InSegment
from segments.saving.saved import list_segments, segment_by_key
from segments.telling.naming import segment_names, with_names
from segments.telling.words import sentence
from web.campaigns.form import key_from
from web.frame.toasts import toast
from web.pages.settings import blueprint
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record

_NUMBER = "number:"


@blueprint.get("/settings/standing")
def standing() -> ResponseReturnValue:
    """The house list: each exclusion as a sentence with its numbers as fields."""
    return _page()


@blueprint.post("/settings/standing")
def add_standing() -> ResponseReturnValue:
    """Leave the people of a segment out of every campaign."""
    now, name, segment = request_now(), request.form.get("name", "")[:200].strip(), request.form.get("segment", "")
    try:
        with writing() as session:
            if not segment:
                raise Invalid("Choose whom to leave out. Save a segment of them first.", place="segment")
            taken = {each.key for each in list_standing(session)}
            key = key_from(name or segment, taken=lambda wanted: wanted.replace("-", "_")[:40] in taken)
            found = save_standing(session, _storable(key), name=name or segment_by_key(session, segment).name[:50],
                                  rule=InSegment(segment).to_json(), expected_version=0, now=now)
            record(session, "standing.added", f"standing:{found.key}", now=now, name=found.name, segment=segment)
    except (Invalid, Conflict) as error:
        return _page(wrong={error.place or "name": _first(error)}), 400
    toast(f"“{found.name}” is left out of every campaign that uses the house list.")
    return redirect(url_for("settings.standing"))


@blueprint.post("/settings/standing/<key>")
def save_one(key: str) -> ResponseReturnValue:
    """Change one exclusion: its name, its numbers, whether it is on."""
    now, form = request_now(), request.form
    try:
        with writing() as session:
            before = standing_by_key(session, key)
            changed = _changed(session, before, form, now)
            record(session, "standing.saved", f"standing:{key}", now=now, **_differences(before, changed))
    except (Invalid, Conflict) as error:
        return _page(wrong={key: _first(error)}, typed=form), 409 if isinstance(error, Conflict) else 400
    toast(f"“{changed.name}” is saved. It holds for whoever enters and whatever goes out from now on."
          if changed.active else f"“{changed.name}” leaves nobody out any more.")
    return redirect(url_for("settings.standing"))


@blueprint.post("/settings/standing/<key>/remove")
def remove_one(key: str) -> ResponseReturnValue:
    """Take one of the house's own off the list."""
    now = request_now()
    with writing() as session:
        gone = standing_by_key(session, key)
        remove_standing(session, key)
        record(session, "standing.removed", f"standing:{key}", now=now, name=gone.name, rule=dict(gone.written))
    toast(f"“{gone.name}” is off the list.")
    return redirect(url_for("settings.standing"))


def _changed(session: Session, before: Standing, form: MultiDict[str, str], now: datetime) -> Standing:
    rule: Any = before.written
    if "rule" in form and form["rule"].strip() != _written(before):
        try:
            rule = json.loads(form["rule"][:20_000])
        except ValueError as error:
            raise Invalid("The rule is not JSON.", place="rule") from error
    else:
        typed = {name.removeprefix(_NUMBER): text.strip() for name, text in form.items() if name.startswith(_NUMBER)}
        wrong = [text for text in typed.values() if not (text.isascii() and text.isdigit() and len(text) < 7)]
        if wrong:
            raise Invalid(f"“{wrong[0][:20]}” is not a number. Use whole numbers such as 30.", place="rule")
        rule = with_numbers(rule, {place: int(text) for place, text in typed.items()})
    version = form.get("version", "")
    return save_standing(session, before.key, name=form.get("name", before.name)[:200], rule=rule,
                         active=bool(form.get("active")),
                         expected_version=int(version) if version.isascii() and version.isdigit() else None, now=now)


def _page(*, wrong: dict[str, str] | None = None, typed: MultiDict[str, str] | None = None) -> str:
    with reading() as session:
        names = segment_names(session)
        rows = [{"one": each, "sentence": _sentence(each, names), "numbers": numbers_of(each.written),
                 "written": _written(each)} for each in list_standing(session)]
        segments = [(each.key, each.name) for each in list_segments(session)]
    return render_template("pages/settings/standing.html", rows=rows, segments=segments, wrong=wrong or {},
                           typed=typed or {}, form=request.form)


def _sentence(each: Standing, names: dict[str, str]) -> str:
    try:
        return sentence(with_names(each.rule, names))
    except WinbackError as error:
        return f"The rule cannot be read: {error.message}"


def _written(each: Standing) -> str:
    return json.dumps(each.written, ensure_ascii=False)


def _differences(before: Standing, after: Standing) -> dict[str, Any]:
    """What the audit trail keeps: each changed field as it was and as it is."""
    return {name: [was, now] for name, was, now in (
        ("name", before.name, after.name), ("rule", dict(before.written), dict(after.written)),
        ("active", before.active, after.active)) if was != now}


def _storable(key: str) -> str:
    plain = key.replace("-", "_")[:40]
    return plain if plain[0].isalpha() else f"x_{plain}"[:40]


def _first(error: WinbackError) -> str:
    return error.message.split("\n")[0]
