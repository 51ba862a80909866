"""How does a forecast read in a few lines?

Owns its short form for the shell and for programs that show text. Pure: the finished forecast in, sentences out.
"""

from collections.abc import Iterator, Mapping
from typing import Any


def told(found: Mapping[str, Any]) -> Iterator[str]:
    """The forecast line by line."""
    people, cost = found["audience"], found["cost"]
    yield f"{people['entered']:,} people enter, {people['held_out']:,} of them left alone; {people['told']:,} are told."
    for reason, count in people["left_out"].items():
        yield f"{count:,} do not enter: {reason}."
    for step in found["steps"]:
        said = ", ".join(f"{each['people']:,} by {channel}" for channel, each in step["channels"].items())
        yield f"  {step['step']}: {step['people']:,} people{', ' + said if said else ''}"
        yield from (f"    {count:,} not told: {reason}" for reason, count in step["silent"].items())
    for code in found["codes"]:
        stock = "made as needed" if code["stock"] is None else f"{code['stock']:,} in stock"
        yield f"{code['needed']:,} codes of {code['offer']} ({stock})."
    budget = "" if cost["budget_cents"] is None else f" of {cost['budget_cents'] / 100:,.2f}"
    yield f"The messages cost {cost['cents'] / 100:,.2f}{budget} {cost['currency']}."
    if cost["over_budget_on"]:
        yield f"The budget is used up on {cost['over_budget_on']}."
    for name, words in (("redemptions", "redeem"), ("orders_anyway", "order without a word from us")):
        each = found["response"][name]
        if each is not None:
            yield f"About {each['estimate']:,} {words} ({each['low']:,} to {each['high']:,})."
    yield found["worth"]["sentence"]
    yield from (line["sentence"] for line in found["power"])
    yield from found["missing"]
    yield from found["notes"]
