"""How does a marketer begin a journey without writing JSON?

Owns the ready journey: one or two offers, an invitation, some days of waiting, one reminder with the same code for who
has not bought yet. Pure: names in, a graph out that passes every check when the names exist. Also the snippets that
the editor inserts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from campaigns.models import Campaign


@dataclass(frozen=True)
class Wish:
    """What the form asks: contents and offers by key, days before the reminder (0: no reminder), the channel.

    `on` is entering or leaving; None: who is in the segment at the start.
    """

    segment: str
    content: str
    offers: Sequence[str]
    reminder: str
    reminder_days: int
    channel: str
    fallback: bool
    on: str | None = None


def ready_graph(campaign: Campaign, wish: Wish) -> dict[str, Any]:
    """The journey of a wish. Window and hold-out are the campaign's, so the graph does not repeat them."""
    letters = "abcdefgh"[: max(len(wish.offers), 1)]
    offers: list[str | None] = list(wish.offers) or [None]
    reminds = bool(wish.reminder) and wish.reminder_days > 0
    steps: dict[str, Any] = {}
    if len(offers) > 1:
        share = round(100 / len(offers), 2)
        shares = [share] * (len(offers) - 1)
        arms = {letter.upper(): part for letter, part in
                zip(letters, [*shares, round(100 - sum(shares), 2)], strict=True)}
        steps["split"] = {"kind": "split", "name": "Which offer", "arms": arms,
                          "next": {letter.upper(): f"offer_{letter}" for letter in letters}}
    for letter, offer in zip(letters, offers, strict=True):
        steps[f"offer_{letter}"] = _send(wish, wish.content, offer, f"pause_{letter}")
        if not reminds:
            steps[f"pause_{letter}"] = {"kind": "wait", "name": "Time to answer", "days": max(wish.reminder_days, 14),
                                        "next": "peace"}
            continue
        steps[f"pause_{letter}"] = {"kind": "wait", "days": wish.reminder_days, "at_local_time": "09:00",
                                    "next": f"bought_{letter}"}
        steps[f"bought_{letter}"] = {
            "kind": "branch", "name": "Bought meanwhile?", "if": bought_rule(campaign, wish.reminder_days + 14),
            "next": {"yes": "peace", "no": f"remind_{letter}"}}
        steps[f"remind_{letter}"] = {**_send(wish, wish.reminder, offer, "peace"), "name": "Reminder"}
    steps["peace"] = {"kind": "leave"}
    entry = {"segment": wish.segment} | ({} if wish.on is None else {"on": wish.on})
    return {"name": campaign.name, "entry": entry, "exclude": ["standing"], "reentry": "never",
            "start": "split" if len(offers) > 1 else "offer_a", "steps": steps}


def bought_rule(campaign: Campaign, days: int) -> dict[str, Any]:
    """Ordered in the campaign's goal within the last days."""
    rule: dict[str, Any] = {"orders": "count"}
    if campaign.goal_categories:
        rule["where"] = {"category": list(campaign.goal_categories)}
    return {**rule, "window": {"last_days": days}, "at_least": 1}


def _send(wish: Wish, content: str, offer: str | None, following: str) -> dict[str, Any]:
    step: dict[str, Any] = {"kind": "send", "content": content}
    if offer is not None:
        step["offer"] = offer
    return {**step, "channel": wish.channel, "fallback": wish.fallback, "next": following}


SNIPPETS: Sequence[tuple[str, str, str, Mapping[str, Any]]] = (
    ("send", "Send", "says something, with a personal code when an offer is named",
     {"mail": {"kind": "send", "content": "key-of-a-content", "offer": "key-of-an-offer", "channel": "preferred",
               "fallback": True, "next": "pause"}}),
    ("wait", "Wait", "stands still; counts from the day the message is expected to arrive",
     {"pause": {"kind": "wait", "days": 7, "at_local_time": "09:00", "next": "bought"}}),
    ("wait", "Wait for the end of the code", "some days before the person's code ends",
     {"last_days": {"kind": "wait", "until": {"code_ends": "key-of-an-offer", "minus_days": 3}, "next": "remind"}}),
    ("wait_for", "Wait for something", "an event, an order or a redemption, noticed when it happens; at most so long",
     {"bought": {"kind": "wait_for", "ordered": True, "days": 2, "next": {"yes": "peace", "timeout": "mail"}}}),
    ("branch", "Question", "asks a rule, as in a segment, and goes one of two ways",
     {"bought": {"kind": "branch", "if": {"orders": "count", "where": {"category": ["furniture"]},
                                          "window": {"last_days": 14}, "at_least": 1},
                 "next": {"yes": "peace", "no": "remind"}}}),
    ("branch", "Question with many answers", "the first case that fits is taken",
     {"who": {"kind": "branch", "cases": [{"name": "vip", "if": {"segment": "key-of-a-segment"}},
                                          {"name": "letter", "if": {"preferred_channel": "letter"}}],
              "next": {"vip": "mail", "letter": "mail", "else": "peace"}}}),
    ("give", "Give a code", "a personal code without a message; a later message shows it",
     {"code": {"kind": "give", "offer": "key-of-an-offer", "next": "pause"}}),
    ("call", "Call", "a task for an agent; goes on by what came of it",
     {"ring": {"kind": "call", "content": "key-of-a-content", "days": 5,
               "next": {"reached": "peace", "not_interested": "peace", "not_reached": "mail"}}}),
    ("change", "Change the person", "an attribute, a tag, or whether they are on a list",
     {"mark": {"kind": "change", "set": {"tier": "gold"}, "tag": {"add": "won-back"}, "list": {"add": "key-of-a-list"},
               "next": "peace"}}),
    ("jump", "Go on elsewhere", "leads to another step, also an earlier one; a circle needs a wait in it",
     {"again": {"kind": "jump", "next": "pause"}}),
    ("split", "Split", "draws an offer for good; the shares add up to 100",
     {"split": {"kind": "split", "arms": {"A": 50, "B": 50}, "next": {"A": "mail_a", "B": "mail_b"}}}),
    ("split", "Split, the winner to the rest", "most wait until an arm has won, and then go its way",
     {"split": {"kind": "split", "arms": {"A": 10, "B": 10}, "rest": {"percent": 80, "by": "redemptions", "days": 7},
                "next": {"A": "mail_a", "B": "mail_b"}}}),
    ("best_arm", "Best arm", "draws arms that do better more often; each keeps a share",
     {"best": {"kind": "best_arm", "arms": ["A", "B"], "by": "redemptions", "days": 7,
               "next": {"A": "mail_a", "B": "mail_b"}}}),
    ("webhook", "Tell a program", "a signed request that says who came here; they go on at once",
     {"tell": {"kind": "webhook", "receiver": "key-of-a-receiver", "event": "winback.letter_due",
               "data": {"priority": "high"}, "next": "pause"}}),
    ("leave", "Leave in peace", "the journey is over for this person", {"peace": {"kind": "leave"}}),
)
"""Kind, name, meaning and an example step of everything a journey can hold."""
