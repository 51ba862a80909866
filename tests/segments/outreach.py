"""Messages sent and coupons given to the people of the tests: made by chance, asked by plain loops, put in tables."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coupons.models import Code, Offer, Redemption
from delivery.models import Message

OFFERS = ("ten-percent", "fifteen", "old")
"""The last one is known by name alone, from imported history."""


@dataclass
class Note:
    """A message, with what became of it."""

    campaign: str | None
    channel: str | None
    arm: str | None
    step: str | None
    sent_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None
    bounced_at: datetime | None


@dataclass
class Given:
    """A coupon code."""

    campaign: str | None
    offer: str
    issued_at: datetime


@dataclass
class Used:
    """A redemption, perhaps taken back later."""

    campaign: str | None
    offer: str
    redeemed_at: datetime
    rolled_back_at: datetime | None


def outreach(chance: random.Random, moment: Callable[[random.Random], datetime]) -> dict[str, list[Any]]:
    """What one person was sent, given and used."""
    perhaps = lambda *values: None if chance.random() < 0.3 else chance.choice(values)
    at = lambda missing: None if chance.random() < missing else moment(chance)
    campaigns = ("spring", "Café 'x'", "autumn")
    return {
        "messages": [Note(perhaps(*campaigns), perhaps("email", "letter"), perhaps("A", "B"), perhaps("s1", "s2"),
                          at(0.2), at(0.5), at(0.7), at(0.8)) for _ in range(chance.choice([0, 0, 1, 2, 4]))],
        "codes": [Given(perhaps(*campaigns), chance.choice(OFFERS[:2]), moment(chance))
                  for _ in range(chance.choice([0, 0, 1, 3]))],
        "redemptions": [Used(perhaps(*campaigns), chance.choice(OFFERS), moment(chance), at(0.6))
                        for _ in range(chance.choice([0, 0, 1, 3]))],
    }


def counted(rule: dict[str, Any], person: Any, start: datetime, end: datetime, as_of: datetime) -> int:
    """How many messages or coupons the rule speaks of, between `start` and `end`."""
    where = {word: [values] if isinstance(values, str) else values for word, values in rule.get("where", {}).items()}
    if "messages" in rule:
        found, time = person.messages, f"{rule['messages']}_at"
    elif rule["coupons"] == "issued":
        found, time = person.codes, "issued_at"
    else:
        found, time = [used for used in person.redemptions
                       if used.rolled_back_at is None or used.rolled_back_at >= as_of], "redeemed_at"
    dated = [(getattr(one, time), one) for one in found]
    return sum(1 for at, one in dated if at is not None and start <= at < end
               and all(getattr(one, word) in values for word, values in where.items()))


def outreach_rows(people: Any, at: datetime) -> dict[type, list[dict[str, Any]]]:
    """The rows of everybody's messages, codes and redemptions."""
    offers = {key: number for number, key in enumerate(OFFERS[:2], start=1)}
    rows: dict[type, list[dict[str, Any]]] = {Offer: [], Message: [], Code: [], Redemption: []}
    rows[Offer] = [{"id": number, "key": key, "name": key, "kind": "percent", "percent_bp": 1000, "currency": "EUR",
                    "created_at": at, "updated_at": at} for key, number in offers.items()]
    for person in people:
        for note in person.messages:
            name = f"m{len(rows[Message])}"
            rows[Message].append({"public_id": name, "occasion": name, "origin": "test", "customer_id": person.id,
                                  "state": "sent", "queued_at": at, "due_at": at, **vars(note)})
        for given in person.codes:
            name = f"C{len(rows[Code])}"
            rows[Code].append({"code": name, "origin": name, "customer_id": person.id, "state": "issued",
                               "offer_id": offers[given.offer], "campaign": given.campaign,
                               "issued_at": given.issued_at, "valid_from": at})
        for used in person.redemptions:
            name = f"r{len(rows[Redemption])}"
            rows[Redemption].append({
                "public_id": name, "external_id": name, "order_ref": name, "code_text": name,
                "offer_id": offers.get(used.offer), "offer_name": None if used.offer in offers else used.offer,
                "campaign": used.campaign, "customer_id": person.id, "discount_cents": 1, "currency": "EUR",
                "state": "rolled_back" if used.rolled_back_at else "redeemed", "redeemed_at": used.redeemed_at,
                "rolled_back_at": used.rolled_back_at})
    return rows
