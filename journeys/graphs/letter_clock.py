"""Would a letter arrive while its code is still worth something, and can it be printed by then at all?

Owns the check of letters. A code given earlier: the validity counts from the first arrival, the waits on the way eat
it, and print shop and post take days. A reminder: whoever is written to by letter sooner after the message before than
the print shop needs would get it later than the journey says. Judged by the longest way for codes, by the shortest for
reminders. Only steps that ask for a letter by name are judged; who merely prefers letters is served by whatever channel
comes first. Codes with a fixed last day depend on when people enter and are not judged.
"""

from collections.abc import Iterator, Mapping

from campaigns.problems import Problem
from delivery.arrival import LETTER_TRANSIT_DAYS
from journeys.graphs.graph import Call, Graph, Send, Step, Wait, WaitFor, ways_of

LEAST_DAYS_LEFT = 3
"""With fewer days left on the day it arrives, a letter's code is hardly used."""
LONGEST_POST_DAYS = LETTER_TRANSIT_DAYS + 1
"""Days in the post when a Sunday lies between."""
_MOST_LOOKS = 5_000


def letter_problems(
    graph: Graph, valid_days: Mapping[str, int | None], *, lead_days: int = 0
) -> Iterator[Problem]:
    """One problem for each letter that would come too late; `valid_days` of each offer, None: not counted in days.

    `lead_days` are the working days that the print shop needs.
    """
    post = LONGEST_POST_DAYS + calendar_days(lead_days)
    for key, step in graph.steps.items():
        if not isinstance(step, Send) or not step.by_letter:
            continue
        yield from _too_soon(graph, key, lead_days)
        if step.offer is None or step.new_code:
            continue
        days = valid_days.get(step.offer)
        least = None if days is None else min(_left_at(graph, key, step.offer, days), default=None)
        if least is not None and least - post < LEAST_DAYS_LEFT:
            yield Problem(f"steps.{key}.channel", _words(least - post),
                          f"Send it {post + LEAST_DAYS_LEFT - least:g} days earlier, let the offer hold "
                          "longer by as many, or send an e-mail instead.")


def calendar_days(working_days: int) -> int:
    """The most days that so many working days take, Sundays between them."""
    return working_days + -(-working_days // 6)


def _too_soon(graph: Graph, letter: str, lead_days: int) -> Iterator[Problem]:
    """The letter is a reminder that is due before it could be printed."""
    needs = calendar_days(lead_days)
    shortest = min(_waited(graph, letter), default=None) if lead_days else None
    if shortest is not None and shortest[0] < needs:
        days, wait = shortest
        place = f"steps.{wait}.days" if wait else f"steps.{letter}.channel"
        after = "on the same day as" if not days else f"{days:g} {'day' if days == 1 else 'days'} after"
        yield Problem(place, f"The letter of “{letter}” would be due {after} the message before; the print shop needs "
                             f"{lead_days} working {'day' if lead_days == 1 else 'days'}.",
                      f"Wait {needs - days:g} days longer before it, or send an e-mail instead.")


def _waited(graph: Graph, letter: str) -> Iterator[tuple[float, str]]:
    """For each way from an earlier message to the letter: the days waited on it, and the last wait ("": none)."""
    firsts = [key for key, step in graph.steps.items() if isinstance(step, Send | Call) and key != letter]
    ahead = [(target, frozenset({key}), 0.0, "") for key in firsts for target in ways_of(graph.steps[key]).values()]
    for _look in range(_MOST_LOOKS):
        if not ahead:
            return
        here, seen, days, wait = ahead.pop()
        step = graph.steps.get(here)
        if here == letter:
            yield days, wait
        if here == letter or step is None or here in seen or isinstance(step, Send | Call):
            continue
        waits = _days_of(step)
        if waits is None:
            continue
        ahead += [(target, seen | {here}, days + waits, here if waits else wait)
                  for target in set(ways_of(step).values())]


def _days_of(step: Step) -> float | None:
    """The days a step takes; None: it ends at an instant that cannot be foreseen here."""
    if isinstance(step, WaitFor):
        return None
    if not isinstance(step, Wait):
        return 0.0
    return None if step.until is not None or step.code_ends is not None else step.days + step.hours / 24


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
