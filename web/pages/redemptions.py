"""The feed of the till, live: every redemption and refusal as it happens, filtered and walked back."""

from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.planning import list_campaigns
from coupons.offers.offers import list_offers
from coupons.till.till import OUTCOMES, TillFilter, at_the_till, till_sums
from web.coupons.till_view import sums_words, till_rows
from web.pages.home import day_start
from web.requests.transactions import reading, request_now
from web.shops.connections import list_connections

blueprint = Blueprint("redemptions", __name__)

ROWS = 40
EVERY_SECONDS = 4
OUTCOME_WORDS = {"redeemed": "redeemed", "rolled_back": "taken back", "refused": "refused"}


@blueprint.get("/redemptions")
def index() -> ResponseReturnValue:
    """The newest redemptions and refusals; an older page of them stands still."""
    asked, after = _asked(), request.args.get("after", "").replace("\x00", "") or None
    chosen = _chosen(asked)
    with reading() as session:
        shown = _shown(session, asked, after)
        offers = [(offer.key, offer.name) for offer in list_offers(session, limit=500)]
        campaigns = [(campaign.key, campaign.name) for campaign in list_campaigns(session)]
        shops = [(each.shop, each.name) for each in list_connections(session) if each.shop]
    filters = {"offer": _with(offers, asked.offer), "campaign": _with(campaigns, asked.campaign),
               "shop": _with(shops, asked.shop), "outcome": list(OUTCOME_WORDS.items())}
    return render_template(
        "pages/redemptions/index.html", **shown, chosen=chosen, filters=filters, every=EVERY_SECONDS,
        live=after is None, poll=url_for("redemptions.newest", **chosen),
        following=url_for("redemptions.index", after=shown["further"], **chosen) if shown["further"] else None,
        first=url_for("redemptions.index", **chosen) if after else None)


@blueprint.get("/redemptions/_newest")
def newest() -> ResponseReturnValue:
    """The newest rows alone, for the page that asks again."""
    with reading() as session:
        shown = _shown(session, _asked(), None)
    return render_template("pages/redemptions/rows.html", **shown, chosen=_chosen(_asked()))


def _shown(session: Session, asked: TillFilter, after: str | None) -> dict[str, Any]:
    now = request_now()
    events, following = at_the_till(session, asked, after=after, limit=ROWS)
    sums = till_sums(session, asked, since=day_start(now))
    names = {campaign.key: campaign.name for campaign in list_campaigns(session)}
    return {"rows": till_rows(events, now, names), "further": following, "sentence": sums_words(sums)}


def _asked() -> TillFilter:
    """The filters of the address; an outcome that does not exist is none."""
    texts = {name: request.args.get(name, "").replace("\x00", "")[:200] or None
             for name in ("offer", "campaign", "shop", "outcome")}
    if texts["outcome"] not in OUTCOMES:
        texts["outcome"] = None
    return TillFilter(**texts)


def _chosen(asked: TillFilter) -> dict[str, Any]:
    return {name: value for name in ("offer", "campaign", "shop", "outcome") if (value := getattr(asked, name))}


def _with(options: list[tuple[str, str]], chosen: str | None) -> list[tuple[str, str]]:
    """The options, and what is chosen by the address alone, such as a shop that is not connected."""
    known = chosen is None or any(value == chosen for value, _words in options)
    return options if known else [*options, (chosen or "", chosen or "")]
