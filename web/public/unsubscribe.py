"""How does a customer say no, or how they want to hear from the shop, without a login?

Owns the pages behind the signed links of messages: /u (unsubscribe) and /p (preferences). The promise: looking changes
nothing (mail scanners open every link); a POST unsubscribes at once, also the one-click POST of a mail program
(RFC 8058), answers 200 without a redirect, and may be repeated.
"""

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue

from core.errors import NotFound
from core.settings import Settings
from delivery.feedback import message_by_public_id, unsubscribe
from delivery.links import Links
from delivery.wishes import save_wishes, wishes_of
from web.requests.transactions import reading, request_now, writing

blueprint = Blueprint("unsubscribe", __name__)

CHANNEL_WORDS = {"email": "E-mail", "letter": "Letters", "phone": "Calls"}


def _settings() -> Settings:
    settings = current_app.extensions["winback.settings"]
    assert isinstance(settings, Settings)
    return settings


def _public_id(path: str, token: str) -> str:
    """The message behind a token. Raises NotFound, the same for a forged and a damaged one."""
    settings = _settings()
    found = Links(base_url=settings.base_url, secret_key=settings.secret_key).read(path, token)
    if found is None:
        raise NotFound("This link is incomplete. Copy the whole address from the message.")
    return found[0]


@blueprint.get("/u/<token>")
def ask(token: str) -> ResponseReturnValue:
    """Ask whether to unsubscribe; changes nothing."""
    with reading() as session:
        message = message_by_public_id(session, _public_id("u", token))
        channel = CHANNEL_WORDS.get(message.channel or "", "Messages")
    return render_template("public/unsubscribe.html", channel=channel, done=False)


@blueprint.post("/u/<token>")
def confirm(token: str) -> ResponseReturnValue:
    """Unsubscribe; the body does not matter, so mail programs and people are served alike."""
    public_id, now, settings = _public_id("u", token), request_now(), _settings()
    with writing() as session:
        message = unsubscribe(session, public_id, now=now, secret_key=settings.secret_key)
        channel = CHANNEL_WORDS.get(message.channel or "", "Messages")
    preferences = Links(base_url=settings.base_url, secret_key=settings.secret_key).token("p", public_id)
    return render_template("public/unsubscribe.html", channel=channel, done=True, preferences=preferences)


@blueprint.get("/p/<token>")
def preferences(token: str) -> ResponseReturnValue:
    """Show what this person hears from the shop; changes nothing."""
    public_id, now = _public_id("p", token), request_now()
    with reading() as session:
        wishes = wishes_of(session, public_id, now=now, secret_key=_settings().secret_key)
    return render_template("public/preferences.html", wishes=wishes, words=CHANNEL_WORDS, saved=False)


@blueprint.post("/p/<token>")
def save_preferences(token: str) -> ResponseReturnValue:
    """Store what was ticked and show it."""
    public_id, now = _public_id("p", token), request_now()
    with writing() as session:
        wishes = save_wishes(session, public_id, on=set(request.form.getlist("channel")),
                             preferred=request.form.get("preferred") or None, now=now,
                             secret_key=_settings().secret_key)
    return render_template("public/preferences.html", wishes=wishes, words=CHANNEL_WORDS, saved=True)
