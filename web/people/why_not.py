"""Why did this person not get what a campaign sent?

Owns the one sentence that answers, from the ledger, the enrolment and the segment's rule. The promise: the sentence
says what a row says; where no row exists it says what holds now, and says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.excluding import exclusions, left_out
from campaigns.models import Campaign
from campaigns.person import past_campaigns_of
from campaigns.showing import segment_names
from core.errors import WinbackError
from customers.models import Customer
from delivery.person import Spoken, messages_before
from journeys.editing.audience import graph_of
from journeys.entry.allotting import Standing, standing_of
from journeys.graphs.reading import parse_graph
from journeys.telling.person import Passage, passages_of
from segments.engines.members import matching
from segments.saving.saved import segment_rule
from web.people.words import CHANNEL_WORDS, Pronouns, pronouns
from web.wording.formatting import day

Dated = Callable[[datetime | None], str]


@dataclass(frozen=True)
class Answer:
    """The sentence, what else is known about it, and the enrolment whose path shows more (None: none)."""

    sentence: str
    more: str = ""
    enrolment: int | None = None


def why_not(session: Session, customer: Customer, campaign: Campaign, *, now: datetime, zone: str) -> Answer:
    """Answer for one person and one campaign."""
    words, name = pronouns(customer), f"“{campaign.name}”"

    def on(instant: datetime | None) -> str:
        return day(instant, today=now.date(), zone=zone)

    if campaign.state == "history":
        addressed = any(each.id == campaign.id for _past, each in past_campaigns_of(session, customer.id))
        return Answer(f"{words.They} {words.was} among the people of {name}, as the shop's history says." if addressed
                      else f"{words.They} {words.was} not among the people whom {name} addressed.")
    passages = passages_of(session, customer.id, campaign_id=campaign.id, limit=1)
    spoken = messages_before(session, customer.id, campaign=campaign.key, limit=20)
    if not passages:
        return _never_entered(session, customer, campaign, words, name, now=now)
    passage = passages[0]
    mine = passage.enrolment
    if mine.state == "excluded":
        return Answer(f"{words.They} {words.was} left out of {name} on {on(mine.entered_at)}: {passage.why}.",
                      enrolment=mine.id)
    if mine.held_out:
        return Answer(f"{words.They} {words.was} left alone for comparison: drawn for the hold-out of {name} on "
                      f"{on(mine.entered_at)}.", "Without people left alone nobody could tell what it caused.", mine.id)
    found = _told(spoken, passage, words, name, on) if spoken else _inside(passage, words, name, on)
    placed = " ".join(_placed(each, words) for each in standing_of(session, parse_graph(passage.version.graph), mine))
    return replace(found, more=f"{found.more} {placed}".strip())


def _never_entered(
    session: Session, customer: Customer, campaign: Campaign, words: Pronouns, name: str, *, now: datetime
) -> Answer:
    if campaign.state == "draft":
        return Answer(f"{name} has not started yet; nobody got anything.")
    segment = segment_names(session, [campaign]).get(campaign.id)
    if segment is None:
        return Answer(f"{words.They} never entered {name}.")
    try:
        rule = segment_rule(session, segment[0], version=campaign.segment_version)
        belongs = bool(matching(session.connection(), rule, [customer.id], as_of=now))
    except WinbackError as error:
        return Answer(f"{words.They} never entered {name}.", f"Its segment cannot be asked: {error.message}")
    if belongs and (barred := _barred(session, customer, campaign, now=now)):
        return Answer(f"{words.They} never entered {name} and would be left out today: {barred}.",
                      f"{words.They} would belong to “{segment[1]}”, but the campaign leaves such people out.")
    if belongs:
        return Answer(f"{words.They} never entered {name}, though {words.they} would belong to “{segment[1]}” today.",
                      "The audience was drawn earlier; who comes to belong later does not enter by itself.")
    return Answer(f"{words.They} never entered {name}: {words.they} {words.was} not in its segment “{segment[1]}”.",
                  "Asked again just now: the rule does not hold.")


def _barred(session: Session, customer: Customer, campaign: Campaign, *, now: datetime) -> str | None:
    """The exclusion that holds for this person today, None when none does."""
    _journey, graph = graph_of(session, campaign)
    reasons = exclusions(session, campaign, standing=graph is None or graph.standing)
    return left_out(session.connection(), [customer.id], reasons, now=now).get(customer.id)


def _inside(passage: Passage, words: Pronouns, name: str, on: Dated) -> Answer:
    mine = passage.enrolment
    if mine.state == "active":
        until = f", due on {on(mine.due_at)}" if mine.due_at else ""
        stands = "stand" if words.they == "they" else "stands"
        return Answer(f"{words.They} entered {name} on {on(mine.entered_at)} and nothing was due yet: "
                      f"{words.they} {stands} at “{mine.step}”{until}.", enrolment=mine.id)
    if mine.state == "failed":
        return Answer(f"{words.They} {words.was} set aside in {name} after an error: {passage.why}.",
                      "Nothing is sent until somebody lets the person in again.", mine.id)
    if mine.state == "finished":
        return Answer(f"{words.They} came to the end of {name} on {on(mine.left_at)} by a way on which nothing is "
                      "sent.", enrolment=mine.id)
    return Answer(f"{words.They} left {name} on {on(mine.left_at)} before anything was sent: {passage.why}.",
                  enrolment=mine.id)


def _told(spoken: list[Spoken], passage: Passage, words: Pronouns, name: str, on: Dated) -> Answer:
    newest = spoken[0]
    sent = next((each for each in spoken if each.message.state == "sent"), None)
    if sent is not None:
        channel = CHANNEL_WORDS.get(sent.message.channel or "", "message").lower()
        title = f" “{sent.content}”" if sent.content else ""
        arrives = (f", expected to arrive on {on(sent.message.expected_at)}"
                   if sent.message.channel == "letter" and sent.message.expected_at else "")
        others = [each for each in spoken if each.message.state not in ("sent", "queued", "claimed", "handed_over")]
        more = (f"Not sent: {_title(others[0])} on {on(others[0].at)}, {others[0].message.reason or 'no reason noted'}."
                if others else "")
        return Answer(f"{words.They} did get {name}: {_article(channel)} {channel}{title} on {on(sent.at)}{arrives}.",
                      more, passage.enrolment.id)
    message, title = newest.message, _title(newest)
    if message.state == "queued" and message.reason and message.due_at > message.queued_at:
        return Answer(f"{title[:1].upper()}{title[1:]} of {name} waits until {on(message.due_at)}: {message.reason}.",
                      "", passage.enrolment.id)
    if message.state in ("queued", "claimed", "handed_over"):
        return Answer(f"{title[:1].upper()}{title[1:]} of {name} is on its way: due on {on(message.due_at)}.", "",
                      passage.enrolment.id)
    if message.state == "uncertain":
        return Answer(f"{title[:1].upper()}{title[1:]} of {name} may or may not have gone out on {on(newest.at)}.",
                      "Nothing is repeated by itself.", passage.enrolment.id)
    did = "did not arrive" if message.state == "failed" else "was not sent"
    return Answer(f"{title[:1].upper()}{title[1:]} of {name} {did} on {on(newest.at)}: "
                  f"{message.reason or 'no reason noted'}.", "", passage.enrolment.id)


def _placed(standing: Standing, words: Pronouns) -> str:
    """How somebody stands where the best are spoken to first, until the budget is used up."""
    channel = CHANNEL_WORDS.get(standing.channel, standing.channel).lower()
    one = f"{_article(channel)} {channel}"
    if standing.place is not None:
        return f"Place {standing.place:,} of the {standing.given:,} whom the budget gives {one}, the best first."
    if not standing.given:
        return f"The budget gives nobody {one} yet."
    return (f"{words.They} {words.was} not among the {standing.given:,} whom the budget gives {one}: the best who may "
            "get one come first.")


def _title(spoken: Spoken) -> str:
    channel = CHANNEL_WORDS.get(spoken.message.channel or "", "message")
    return f"the {channel.lower()}" + (f" “{spoken.content}”" if spoken.content else "")


def _article(word: str) -> str:
    return "an" if word[:1] in "aeiou" else "a"
