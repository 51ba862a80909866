"""What can a journey hold, shown by example?

Owns the snippets that the editor of the draft inserts: of everything a journey can hold an example that can be read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

SNIPPETS: Sequence[tuple[str, str, str, Mapping[str, Any]]] = (
    ("send", "Send", "says something, with a personal code when an offer is named",
     {"mail": {"kind": "send", "content": "key-of-a-content", "offer": "key-of-an-offer", "channel": "preferred",
               "fallback": True, "next": "pause"}}),
    ("send", "Send to the best first", "the best get one channel until its budget is used, the rest the next one",
     {"mail": {"kind": "send", "content": "key-of-a-content", "offer": "key-of-an-offer", "fallback": True,
               "channel": {"best_first": "letter", "budget_cents": 250000, "rest": "preferred"}, "next": "pause"}}),
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
