"""Home: the day in one sentence, what needs somebody, what came of it, what runs, what is planned, what is redeemed."""

import math
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.approving import waiting_for_others
from campaigns.planning import list_campaigns
from core import leases
from coupons.checks.nightly import places_broken
from coupons.codes.feed import offers_running_out, redeemed_by_campaign, redemptions_by_day
from coupons.codes.leaks import count_flagged, travelling
from coupons.codes.pools import pools_running_low
from coupons.till.till import latest
from delivery.showing import MessageFilter, count_messages, count_open_calls, due_between, sent_between
from journeys.editing.checking_draft import check_draft
from journeys.telling.overview import JourneyLine, due_steps, journey_lines
from journeys.telling.showing import set_aside
from reporting.leaks import held_out_redeemers
from reporting.reports import campaign_report
from reporting.results import CampaignReport
from web.campaigns.approvals import asking_person
from web.campaigns.messages import CHANNELS
from web.campaigns.report import compared
from web.coupons.till_view import till_rows
from web.frame.fragments import part_of
from web.frame.links import page_url
from web.frame.plots import interval_plot, small_line
from web.frame.presentation import zone
from web.journeys.words import step_name
from web.requests.transactions import database, reading, request_now
from web.security.access import person
from web.shops.inbox import state_counts
from web.wording.formatting import clock_time, count, local_date, long_day, money, money_short, points, rate
from web.wording.states import window_words

blueprint = Blueprint("home", __name__)

DAYS = 28
MOST_JUDGED = 4
FEED_ROWS = 9
KEPT_SECONDS = 120


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """The day as it stands; what came of it is loaded after."""
    now = request_now()
    start = day_start(now)
    with reading() as session:
        lines = journey_lines(session, day_start=start, now=now)
        running = [line for line in lines if line.journey.state in ("running", "paused", "ending")]
        redeemed = redeemed_by_campaign(session)
        needs = _needs(session, lines, now)
        schedule = _schedule(session, lines, start, now)
        events = latest(session, limit=FEED_ROWS)
        any_campaign = bool(lines) or bool(list_campaigns(session))
    today = local_date(now, zone())
    return render_template(
        "pages/home/index.html", headline=long_day(today), sentence=_sentence(running, needs), needs=needs,
        running=[_running_row(line, redeemed, now) for line in running], schedule=schedule, feed=till_rows(events, now),
        any_campaign=any_campaign, nobody_works=_nobody_works(running))


@blueprint.get("/home/redemptions")
@part_of("home.index")
def feed() -> ResponseReturnValue:
    """What happened last at the till, as a fragment."""
    now = request_now()
    with reading() as session:
        events = latest(session, limit=FEED_ROWS)
    return render_template("pages/home/feed.html", feed=till_rows(events, now))


@blueprint.get("/home/outcomes")
@part_of("home.index")
def outcomes() -> ResponseReturnValue:
    """Response and effect of the newest campaigns, as a fragment."""
    now = request_now()
    with reading() as session:
        redeemed = redeemed_by_campaign(session)
        by_day = redemptions_by_day(session, day_start=day_start(now), days=DAYS)
        judged = [line.campaign.key for line in journey_lines(session, day_start=now, now=now)
                  if line.newest and line.entered][:MOST_JUDGED]
        reports = [_report(session, key, now) for key in judged]
    codes, used = (sum(pair[place] for pair in redeemed.values()) for place in (0, 1))
    first, last = local_date(now - timedelta(days=DAYS - 1), zone()), local_date(now, zone())
    return render_template(
        "pages/home/outcomes.html", codes=codes, used=used, share=rate(used / codes) if codes else "",
        line=small_line(by_day) if sum(by_day) else None, first=first, last=last, today=by_day[-1],
        spoken=f"Redemptions a day over {DAYS} days: least {min(by_day)}, most {max(by_day)}, today {by_day[-1]}",
        plot=_effects(reports), reports=reports)


def _report(session: Session, key: str, now: datetime) -> CampaignReport:
    """The report of a campaign, kept for a while: home is opened often, and the report's own page is always fresh."""
    kept: dict[tuple[str, int], CampaignReport] = current_app.extensions.setdefault("winback.outcomes", {})
    wanted = (key, int(now.timestamp()) // KEPT_SECONDS)
    if wanted not in kept:
        while len(kept) >= 2 * MOST_JUDGED:
            kept.pop(next(iter(kept)), None)
        kept[wanted] = campaign_report(session, key, now=now)
    return kept[wanted]


def day_start(now: datetime) -> datetime:
    """When today began where pages show times."""
    local = ZoneInfo(zone())
    return datetime.combine(local_date(now, zone()), time(), local)


def _sentence(running: list[JourneyLine], needs: list[dict[str, Any]]) -> str:
    going = sum(1 for line in running if line.journey.state == "running")
    journeys = {0: "No journey is running", 1: "1 journey is running"}.get(
        going, f"{count(going)} journeys are running")
    waits = {0: "nothing waits for you", 1: "1 thing waits for you"}.get(
        len(needs), f"{count(len(needs))} things wait for you")
    return f"{journeys} and {waits}."


def _nobody_works(running: list[JourneyLine]) -> bool:
    """Whether a journey runs and no worker does: everything would look well, and nothing would happen."""
    return any(line.journey.state == "running" for line in running) and not leases.led(database())


def _needs(session: Session, lines: list[JourneyLine], now: datetime) -> list[dict[str, Any]]:
    """What somebody has to decide, most pressing first: icon, what, why, size, one button."""
    found: list[dict[str, Any]] = []
    for journey, people, error in set_aside(session):
        found.append(_need(
            "alert-triangle", f"{_people(people)} set aside in {journey.name}",
            f"An error met them: {error.split(': ', 1)[-1][:120]} Nobody else is affected.", _people(people), "Look",
            url_for("journeys.people", key=journey.key, show="failed")))
    who = person()
    if who is not None and who.may_change():
        found += _waiting(session)
    for line in lines:
        found += _needs_of(session, line)
    found += _needs_of_shops(session, now)
    calls = count_open_calls(session, now=now)
    if calls:
        found.append(_need("headset", f"{count(calls)} {'call is' if calls == 1 else 'calls are'} due",
                           "Each is checked again when an agent opens it.", "", "Open the desk",
                           page_url("calls.index")))
    drifted = places_broken(session)
    if drifted:
        found.append(_need("alert-triangle", f"{count(drifted)} coupon counters disagree with the ledger",
                           "The nightly check found it. The operator sees where: winback doctor coupons.", "", "Look",
                           page_url("codes.index")))
    for offer, left in pools_running_low(session):
        what = f"{count(left)} {'code is' if left == 1 else 'codes are'} left" if left else "No code is left"
        then = ("When none is left, people wait at their step." if offer.code_source == "pool"
                else "When none is left, codes are made.")
        found.append(_need("ticket", f"{what} in the pool of “{offer.name}”", then, "", "Fill the pool",
                           page_url("pools.index")))
    for offer, used in offers_running_out(session):
        size = (f"{money(offer.spent_cents, currency=offer.currency)} of "
                f"{money(offer.budget_cents, currency=offer.currency)}" if offer.budget_cents
                else f"{count(offer.used)} of {count(offer.limit_total)}")
        found.append(_need("ticket", f"“{offer.name}” has used {rate(used, decimals=0)} of its "
                           f"{'budget' if offer.budget_cents else 'limit'}",
                           "When it is used up, later codes are refused." if used < 1 else
                           "Codes are refused now, until more is allowed.", size, "Look at offer",
                           page_url("offers.show", key=offer.key) or page_url("offers.index")))
    return found


def _waiting(session: Session) -> list[dict[str, Any]]:
    """Campaigns that somebody else has asked an approval for."""
    return [_need("circle-check", f"“{campaign.name}” waits for your approval",
                    f"{asked.asked_by} asked. {asked.note or ''}".strip(), "approval", "Look",
                    url_for("campaigns.show", key=campaign.key, _anchor="approval"))
            for asked, campaign in waiting_for_others(session, but=asking_person().ref)]


def _needs_of_shops(session: Session, now: datetime) -> list[dict[str, Any]]:
    found = []
    failed = state_counts(session)["failed"]
    if failed:
        found.append(_need("webhook", f"{count(failed)} {'delivery' if failed == 1 else 'deliveries'} of a shop failed",
                           "Nothing of them was recorded. Their error stands in the inbox.", "", "Look",
                           url_for("inbox.index", state="failed")))
    odd = count_flagged(session)
    if odd:
        found.append(_need("flag", f"{count(odd)} odd {'redemption' if odd == 1 else 'redemptions'}",
                           "Beyond a limit, after the end, by somebody else, or with a code we do not know.", "",
                           "Look", url_for("leaks.index")))
    moving, kept = travelling(session, now=now), held_out_redeemers(session, now=now)
    if moving or kept:
        said = [f"{count(len(moving))} {'code is' if len(moving) == 1 else 'codes are'} tried in many baskets"] * (
            bool(moving)) + [f"{_people(sum(each.people for each in kept))} left alone redeemed"] * bool(kept)
        found.append(_need("flag", "Codes may be leaking", f"{' and '.join(said)}.", "", "Look",
                           url_for("leaks.index")))
    return found


def _needs_of(session: Session, line: JourneyLine) -> list[dict[str, Any]]:
    campaign, journey = line.campaign, line.journey
    found = []
    unsure = count_messages(session, MessageFilter(state="uncertain", campaign=campaign.key))
    if unsure:
        what = f"{count(unsure)} {'message' if unsure == 1 else 'messages'} may or may not have gone out"
        found.append(_need(
            "alert-triangle", what,
            f"{campaign.name}. Nothing is repeated by itself.", "uncertain", "Look",
            url_for("campaigns.messages", key=campaign.key, state="uncertain")))
    if journey.state == "draft" and not check_draft(session, journey.draft):
        found.append(_need("route", f"“{journey.name}” is ready to be published",
                           "Its journey is drawn and has no problems; nobody is written to before.", "draft",
                           "Look", url_for("journeys.show", key=journey.key)))
    if journey.state == "paused":
        found.append(_need("player-pause", f"“{journey.name}” is paused", "Nobody moves and nothing is sent.",
                           f"{_people(line.inside)} inside", "Look", url_for("journeys.show", key=journey.key)))
    return found


def _need(sign: str, what: str, why: str, size: str, act: str, href: str | None) -> dict[str, Any]:
    return {"sign": sign, "what": what, "why": why, "size": size, "act": act, "href": href}


def _people(number: int) -> str:
    return f"{count(number)} {'person' if number == 1 else 'people'}"


def _running_row(line: JourneyLine, redeemed: dict[str, tuple[int, int]], now: datetime) -> dict[str, Any]:
    codes, used = redeemed.get(line.campaign.key, (0, 0))
    return {"line": line, "window": window_words(line.campaign, now=now), "rate": rate(used / codes) if codes else "",
            "next": step_name(line.journey.draft, line.next_step or "")}


def _schedule(session: Session, lines: list[JourneyLine], start: datetime, now: datetime) -> list[dict[str, Any]]:
    """What went out today and what becomes due before tomorrow, by time."""
    tomorrow = day_start(start + timedelta(hours=36))
    names = {line.campaign.key: line.campaign.name for line in lines}
    words = dict(CHANNELS)
    found = [{"at": None, "what": words.get(channel or "", "Messages"), "under": names.get(campaign or "", campaign),
              "value": f"{count(number)} sent", "done": True}
             for campaign, channel, number in sent_between(session, start=start, end=now + timedelta(seconds=1))]
    coming = [(at, {"what": words.get(channel or "", "Messages"), "under": names.get(campaign or "", campaign),
                    "value": f"{count(number)} waiting", "done": False})
              for campaign, channel, at, number in due_between(session, start=start, end=tomorrow)]
    journeys = {line.journey.id: line for line in lines}
    for due in due_steps(session, start=start, end=tomorrow):
        line = journeys[due.journey_id]
        coming.append((due.first_at, {"what": step_name(line.journey.draft, due.step), "under": line.journey.name,
                                      "value": _people(due.people), "done": False}))
    coming.sort(key=lambda pair: pair[0])
    return [*found, *({**row, "at": clock_time(max(at, now) if at < now else at, zone=zone())} for at, row in coming)]


def _effects(reports: list[CampaignReport]) -> Any:
    """The effect of each campaign: in money if it is known in one currency, else in points; too early ones say so."""
    known = [report for report in reports if report.effect is not None]
    if not known:
        return None
    earned = [report.gained_cents for report in known
              if report.gained_cents is not None and math.isfinite(report.gained_cents.low)]
    in_money = bool(earned) and len({report.campaign.currency for report in known}) == 1
    currency = known[0].campaign.currency

    def write(value: float) -> str:
        return money_short(round(value, -3), currency=currency, signed=True) if in_money else points(value, short=True)

    rows = []
    for report in known:
        effect = report.effect.judged(report.judged) if report.effect is not None else None
        found = report.gained_cents if in_money else effect
        if found is not None:
            rows.append(compared(report.campaign.name, found, "final" if report.maturity.final else "not final", write,
                                 url_for("reports.show", key=report.campaign.key)))
    return interval_plot(
        rows, kind="effect", title="What each campaign earned on top" if in_money else "More orders per 100 people",
        tick=lambda value: money_short(value, currency=currency, signed=True) if in_money
        else points(value, decimals=0, short=True))
