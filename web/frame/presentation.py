"""What can every template use?

Owns the Jinja environment of the pages: formats as filters, icons, plots, assets with their version, the side bar. The
promise: templates format with `web/wording/formatting.py` and draw with `web/frame/plots.py`, never by hand.
"""

import hashlib
from datetime import date, datetime
from functools import cache
from pathlib import Path

from flask import Flask, current_app, url_for
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup

from core.codes import grouped
from web.frame.iconography import icon
from web.frame.navigation import navigation
from web.frame.toasts import waiting_toasts
from web.requests.transactions import request_now
from web.security.access import person
from web.wording import formatting
from web.wording.states import refused_words

_STATIC = Path(__file__).parent.parent / "static"


@cache
def _version(name: str, _changed_ns: int) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:10]


def asset(name: str) -> str:
    """The address of a static file with the version of its content, so that browsers may keep it for ever."""
    return url_for("static", filename=name, v=_version(name, (_STATIC / name).stat().st_mtime_ns))


def csrf_field() -> Markup:
    """The hidden field every form of a page carries."""
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def zone() -> str:
    """The time zone in which pages show instants."""
    return str(current_app.config["WINBACK_ZONE"])


def day(value: date | datetime | None, language: str = "en") -> str:
    """A date as on our pages: "9 Oct", with its year when that is not the current one."""
    return formatting.day(value, today=formatting.local_date(request_now(), zone()), zone=zone(), language=language)


def moment(value: datetime | None, language: str = "en") -> str:
    """An instant as on our pages: "today 15:00", "9 Oct 15:00"."""
    return formatting.moment(value, now=request_now(), zone=zone(), language=language)


def instant(text: str) -> datetime:
    """An instant of a JSON form as a value again."""
    return datetime.fromisoformat(text)


def clock_time(value: datetime | None, seconds: bool = False) -> str:
    """A time of day as on our pages: "10:42"."""
    return formatting.clock_time(value, zone=zone(), seconds=seconds)


def furnish(app: Flask) -> None:
    """Give the templates of `app` their filters and functions."""
    env = app.jinja_env
    env.trim_blocks = env.lstrip_blocks = True
    env.filters |= {
        "number": formatting.number, "count": formatting.count, "money": formatting.money,
        "money_short": formatting.money_short, "rate": formatting.rate, "points": formatting.points,
        "p_value": formatting.p_value, "code": grouped, "day": day, "moment": moment,
        "clock_time": clock_time, "machine_time": formatting.machine_time, "long_day": formatting.long_day,
        "month": formatting.month, "instant": instant, "refused_words": refused_words,
    }
    env.globals |= {
        "icon": icon, "asset": asset, "csrf_field": csrf_field, "person": person, "navigation": navigation,
        "waiting_toasts": waiting_toasts, "request_now": request_now, "span": formatting.span,
        "level_range": formatting.level_range, "estimate": formatting.estimate,
    }
