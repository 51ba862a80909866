"""Would a letter arrive while its code is still worth something?

Owns the check of letters that carry a code given earlier: the validity counts from the first arrival, the waits on the
way eat it, and the post takes days. Judged by the longest way through the steps. Only steps that ask for a letter by
name are judged; who merely prefers letters is served by whatever channel comes first. Codes with a fixed last day
depend on when people enter and are not judged.
"""

from collections.abc import Iterator, Mapping

from campaigns.problems import Problem
from delivery.arrival import LETTER_TRANSIT_DAYS
from journeys.graph import Graph, Send, Wait, ways_of

LEAST_DAYS_LEFT = 3
"""With fewer days left on the day it arrives, a letter's code is hardly used."""
LONGEST_POST_DAYS = LETTER_TRANSIT_DAYS + 1
"""Days in the post when a Sunday lies between."""
_MOST_LOOKS = 5_000


def letter_problems(graph: Graph, valid_days: Mapping[str, int | None]) -> Iterator[Problem]:
    """One problem for each letter that would come too late; `valid_days` of each offer, None: not counted in days."""
    for key, step in graph.steps.items():
        if not isinstance(step, Send) or step.offer is None or step.new_code or step.channel != "letter":
            continue
        days = valid_days.get(step.offer)
        least = None if days is None else min(_left_at(graph, key, step.offer, days), default=None)
        if least is not None and least - LONGEST_POST_DAYS < LEAST_DAYS_LEFT:
            yield Problem(f"steps.{key}.channel", _words(least - LONGEST_POST_DAYS),
                          f"Send it {LONGEST_POST_DAYS + LEAST_DAYS_LEFT - least:g} days earlier, let the offer hold "
                          "longer by as many, or send an e-mail instead.")


def _words(left: float) -> str:
    if left < 0:
        return "The letter would arrive after its code has ended."
    return f"The letter would arrive with {left:g} {'day' if left == 1 else 'days'} left on its code."


def _left_at(graph: Graph, letter: str, offer: str, days: int) -> Iterator[float]:
    """For each way from a first code of the offer to the letter: how many days the code has left when it is sent."""
    firsts = [key for key, step in graph.steps.items()
              if isinstance(step, Send) and step.offer == offer and key != letter]
    ahead = [(target, frozenset({key}), float(days)) for key in firsts for target in ways_of(graph.steps[key]).values()]
    for _look in range(_MOST_LOOKS):
        if not ahead:
            return
        here, seen, left = ahead.pop()
        step = graph.steps.get(here)
        if here == letter:
            yield left
        if here == letter or step is None or here in seen:
            continue
        if isinstance(step, Wait) and step.code_ends == offer:
            left = step.minus_days
        elif isinstance(step, Wait) and step.until is None and step.code_ends is None:
            left -= step.days + step.hours / 24
        ahead += [(target, seen | {here}, left) for target in set(ways_of(step).values())]
