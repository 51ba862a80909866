"""The pages of offers: the list with how far each is used, the form with worked examples, the latest at the till."""

from typing import Any
from zoneinfo import available_timezones

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from core.errors import Conflict, NotFound, WinbackError
from coupons.codes.showing import names_for, offer_body
from coupons.models import Offer
from coupons.offers.conditions import offer_terms
from coupons.offers.deleting import delete_offer, why_kept
from coupons.offers.offers import list_offers, offer_by_key, save_offer, usual_currency
from coupons.offers.wording import offer_words
from coupons.till.till import latest
from journeys.uses import journeys_with_offer
from segments.choosing.choices import choices
from web.coupons.offer_example import Example, example_of
from web.coupons.offer_form import OfferForm, draft_of, empty_form, form_of, place_error, read_form
from web.coupons.till_view import till_rows
from web.frame.toasts import toast
from web.registry import Found
from web.requests.questions import questions
from web.requests.transactions import reading, request_now, writing
from web.security.access import CHANGERS, needs_role
from web.security.audit import record
from web.shops.connections import list_connections

blueprint = Blueprint("offers", __name__)

def find(session: Session, words: str) -> list[Found]:
    """Offers whose name or key holds the words."""
    wanted = words.casefold()
    return [Found(offer.name, "offer", url_for("offers.show", key=offer.key), "ticket")
            for offer in list_offers(session) if wanted in f"{offer.name} {offer.key}".casefold()][:5]


@blueprint.get("/offers")
def index() -> ResponseReturnValue:
    """List the offers, and what happened last at the till."""
    now = request_now()
    after = request.args.get("after", "").replace("\x00", "")
    with reading() as session:
        found = list_offers(session, after=after or None, limit=51)
        rows = [(offer, offer_words(offer), offer_body(session, offer)) for offer in found[:50]]
        feed = till_rows(latest(session, limit=12), now)
    following = url_for("offers.index", after=found[49].key) if len(found) > 50 else None
    return render_template("pages/offers/index.html", rows=rows, feed=feed, following=following, first=bool(after))


@blueprint.get("/offers/_new")
@needs_role(*CHANGERS)
def new() -> ResponseReturnValue:
    """Begin an offer."""
    with reading() as session:
        currency = usual_currency(session)
    return _form(empty_form(zone=current_app.config["WINBACK_ZONE"], currency=currency), None)


@blueprint.get("/offers/<key>")
def show(key: str) -> ResponseReturnValue:
    """Open one offer: its terms in words, how far it is used, the form."""
    with reading() as session:
        offer = offer_by_key(session, key)
    return _form(form_of(offer), offer)


@blueprint.post("/offers/_save")
def save() -> ResponseReturnValue:
    """Save an offer; what cannot be saved stays in the form with the reason beside its field."""
    now = request_now()
    sent = request.form.to_dict()
    stored, frozen = _stored(sent.get("was", ""))
    form = read_form(sent, stored, frozen=frozen)
    key = stored.key if stored else sent.get("key", "").strip()
    problem, conflict = None, False
    if not form.errors:
        try:
            seen = None if sent.get("do") == "save-over" else _seen(stored, sent.get("seen", ""))
            with writing() as session:
                offer = save_offer(session, key, **form.values, expected_updated_at=seen, must_be_new=stored is None,
                                   now=now)
                record(session, "offer.saved", f"offer:{offer.key}", now=now)
                name = offer.name
            toast(f"“{name}” is saved.")
            return redirect(url_for("offers.show", key=key), 303)
        except WinbackError as error:
            conflict = isinstance(error, Conflict) and error.place == "updated_at"
            problem = None if conflict else place_error(form, error)
    return _form(form, stored, problem=problem, conflict=conflict), 409 if conflict else 422


def _stored(key: str) -> tuple[Offer | None, bool]:
    if not key:
        return None, False
    with reading() as session:
        offer = offer_by_key(session, key.replace("\x00", ""))
        return offer, offer_body(session, offer)["codes_issued"] > 0


def _seen(stored: Offer | None, text: str) -> Any:
    """The instant the editor saw; anything else is a conflict with what is stored."""
    if stored is None:
        return None
    return stored.updated_at if text == stored.updated_at.isoformat() else stored.created_at.replace(year=2000)


@blueprint.post("/offers/<key>/delete")
def delete(key: str) -> ResponseReturnValue:
    """Delete an offer that was never used."""
    now = request_now()
    with writing() as session:
        name = offer_by_key(session, key).name
        delete_offer(session, key, above=journeys_with_offer)
        record(session, "offer.deleted", f"offer:{key}", now=now)
    toast(f"“{name}” is deleted.")
    return redirect(url_for("offers.index"), 303)


@blueprint.post("/offers/_example")
@needs_role("admin", "marketer", "analyst", "agent")
def example() -> ResponseReturnValue:
    """What baskets would pay with the terms typed so far."""
    sent = request.form.to_dict()
    stored, frozen = _stored(sent.get("was", ""))
    form = read_form(sent, stored, frozen=frozen)
    worked, words = _worked(form)
    return render_template("fragments/offers/example.html", example=worked, words=words)


def _worked(form: OfferForm) -> tuple[Example | None, tuple[str, dict[str, list[str]]] | None]:
    """What baskets would pay with the terms typed so far, and those terms as they would be printed; None: unclear."""
    draft, whole = draft_of(form)
    if draft is None:
        return None, None
    try:
        example = example_of(draft)
        if form.errors or not whole:
            return example, None
        with reading() as session:
            names = names_for(session, draft)
        terms = {language: offer_terms(draft, language, names=names) for language in ("en", "de")}
        return example, (offer_words(draft, names=names), terms)
    except (ValueError, ArithmeticError, OverflowError):
        return None, None


def _form(form: OfferForm, stored: Offer | None, *, problem: str | None = None, conflict: bool = False) -> str:
    body, kept = None, None
    with reading() as session:
        shops = [each.shop for each in list_connections(session) if each.shop and each.archived_at is None]
        if stored is not None:
            body = offer_body(session, stored)
            kept = why_kept(session, stored, above=journeys_with_offer)
    if not form.values:
        form.values = read_form(form.texts, stored, frozen=False).values
    example, words = _worked(form)
    return render_template("pages/offers/form.html", form=form, offer=stored, body=body, kept=kept, problem=problem,
                           conflict=conflict, example=example, words=words, shops=shops,
                           categories=_known("category"),
                           brands=_known("brand"), zones=[(zone, zone) for zone in sorted(available_timezones())])


def _known(field: str) -> list[str]:
    try:
        return [choice.value for choice in choices(questions(), "orders", field, now=request_now(), limit=12)]
    except (WinbackError, NotFound):
        return []
