"""Signing in and out.

A wrong password, an unknown address, a disabled person and one who has to wait get the same sentence after the same
work, so the answer tells nothing about who has a login.
"""

from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import login_user, logout_user

from web.requests.transactions import request_now, writing
from web.security.access import needs_role, open_to_all, person, person_from
from web.security.audit import record
from web.security.logins import ROLES, close_attempt, open_attempt
from web.security.passwords import password_fits

blueprint = Blueprint("login", __name__)

REFUSAL = (
    "That address and password do not fit together. After five wrong tries the next ones have to wait, "
    "up to 15 minutes. An administrator can set a new password."
)


@blueprint.get("/login")
@open_to_all
def form() -> ResponseReturnValue:
    """Show the form; whoever is signed in goes on."""
    back = safe_target(request.args.get("next"))
    if person() is not None:
        return redirect(back)
    return render_template("login.html", email="", back=back, error=None)


@blueprint.post("/login")
@open_to_all
def sign_in() -> ResponseReturnValue:
    """Count the attempt, compare the password, start a session."""
    email = request.form.get("email", "")[:320]
    password = request.form.get("password", "")[:1000]
    back = safe_target(request.form.get("next"))
    now = request_now()
    with writing() as db:
        user = open_attempt(db, email, now=now)
    fits = password_fits(user.password_hash if user else None, password)
    if user is None or not fits:
        return render_template("login.html", email=email, back=back, error=REFUSAL), 401
    with writing() as db:
        close_attempt(db, user.id)
        record(db, "login.opened", f"user:{user.id}", now=now)
    session.clear()  # nothing from before the login survives it
    login_user(person_from(user))
    session.permanent = True
    return redirect(back)


@blueprint.post("/logout")
@needs_role(*ROLES)
def sign_out() -> ResponseReturnValue:
    """End this session."""
    logout_user()
    session.clear()
    flash("You are signed out.")
    return redirect(url_for("login.form"))


def safe_target(target: str | None) -> str:
    """Return `target` when it is a path of ours, else the start page; never another host."""
    if not target or "\\" in target or any(ord(sign) < 33 for sign in target):
        return "/"
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not target.startswith("/") or target.startswith("//"):
        return "/"
    return target
