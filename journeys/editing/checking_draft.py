"""Is everything here that a journey names, and can it be asked today?

Owns the check of a draft against the segments, offers, contents and scores there are, and holding the segments while a
version is published. The promise: what would fail while people walk is named before, with its place.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.house import house
from campaigns.problems import Problem
from core.errors import Invalid, NotFound
from coupons.models import Offer
from customers.changing import misfits
from delivery.contents import list_contents
from delivery.receivers import list_receivers
from journeys.entry.allotting import best_first_problems
from journeys.graphs.checking import check_graph
from journeys.graphs.graph import Branch, Change, Graph, Split, WaitFor, Webhook
from journeys.graphs.letter_clock import letter_problems
from journeys.graphs.reading import read_graph
from journeys.models import Journey, Version
from segments.compiling.scored import uncomputed
from segments.language.conditions import InSegment, Rule
from segments.models import Segment
from segments.saving.saved import resolved


def check_draft(session: Session, graph: object) -> list[Problem]:
    """Every problem of a graph against what there is; an empty list means it can be published."""
    segments = {segment.key: segment for segment in session.scalars(select(Segment))}
    found = check_graph(
        graph,
        known_segments={key for key, segment in segments.items() if segment.archived_at is None},
        known_offers=set(session.scalars(select(Offer.key))),
        known_contents={content.key for content in list_contents(session)},
    )
    read = graph if isinstance(graph, Graph) else read_graph(graph).graph
    if read is None:
        return found
    entered = segments.get(read.segment)
    if not found:
        valid: dict[str, int | None] = dict(session.execute(select(Offer.key, Offer.valid_days)).all())
        lead_days = house(session).print_lead_days
        found = [*found, *best_first_problems(read), *letter_problems(read, valid, lead_days=lead_days)]
    return [*found, *([] if entered is None else _entry_problems(session, read, entered)),
            *_rule_problems(session, read), *_change_problems(session, read, segments), *_told_problems(session, read)]


def rest_problems(session: Session, journey: Journey, graph: Graph) -> list[Problem]:
    """The rest of a split, of whatever version, goes the way of one arm, decided once: its arms keep their names."""
    found = []
    for key, step in graph.steps.items():
        if not isinstance(step, Split) or step.rest is None:
            continue
        names = {name for name, _share in step.arms}
        for number, before in session.execute(
                select(Version.number, Version.graph).where(Version.journey_id == journey.id)
                .order_by(Version.number.desc())).all():
            earlier = before["steps"].get(key, {})
            if earlier.get("kind") == "split" and "rest" in earlier and set(earlier["arms"]) != names:
                found.append(Problem(
                    f"steps.{key}.arms", f"In version {number} the arms of this split were called"
                    f" {' and '.join(sorted(earlier['arms']))}; one of them wins for the rest of every version.",
                    "Keep their names, or give the split another id: then it is decided anew."))
                break
    return found


def hold_segments(session: Session, graph: Graph) -> None:
    """Keep the segments that a graph names until this transaction ends: nobody deletes, refreshes or changes them."""
    changed = {name for step in graph.steps.values() if isinstance(step, Change)
               for name in (step.add_to, step.remove_from) if name}
    keys = {graph.segment} | changed | {node.key for rule in rules_of(graph).values() for node in rule.walk()
                              if isinstance(node, InSegment)}
    session.execute(select(Segment.id).where(Segment.key.in_(keys)).order_by(Segment.id).with_for_update(read=True))


def rules_of(graph: Graph) -> dict[str, Rule]:
    """The rules of a journey by their place."""
    rules: dict[str, Rule] = {}
    for key, step in graph.steps.items():
        if isinstance(step, WaitFor) and step.rule is not None:
            rules[f"steps.{key}.if"] = step.rule
        elif isinstance(step, Branch):
            place = f"steps.{key}.if" if step.otherwise == "no" else f"steps.{key}.cases[{{}}].if"
            rules |= {place.format(number): rule for number, (_name, rule) in enumerate(step.cases)}
    when = graph.exit_when
    return rules | {f"exit_when[{number}]": rule for number, rule in zip(when.written_at, when.rules, strict=True)}


def _change_problems(session: Session, graph: Graph, segments: Mapping[str, Segment]) -> Iterator[Problem]:
    """Lists that people are put onto must be there, and attributes keep their type."""
    for key, step in graph.steps.items():
        if not isinstance(step, Change):
            continue
        for name, written in ((step.add_to, "add"), (step.remove_from, "remove")):
            found = segments.get(name or "")
            if name and (found is None or found.kind != "list" or found.archived_at is not None):
                yield Problem(f"steps.{key}.list.{written}", f"There is no list called {name}.", "Make it first.")
        for name, held in misfits(session.connection(), dict(step.values)).items():
            yield Problem(f"steps.{key}.set.{name}", f"The attribute {name} holds {held}.", "Write such a value.")


def _told_problems(session: Session, graph: Graph) -> Iterator[Problem]:
    told = {key: step.receiver for key, step in graph.steps.items() if isinstance(step, Webhook) and step.receiver}
    there = {receiver.key: receiver for receiver in list_receivers(session)} if told else {}
    for key, receiver in told.items():
        if receiver not in there:
            yield Problem(f"steps.{key}.receiver", f"There is no receiver called {receiver}.",
                          "An administrator adds it in the settings.")
        elif not there[receiver].active:
            yield Problem(f"steps.{key}.receiver", f"The receiver {there[receiver].name} is switched off.",
                          "Name another one, or have it switched on in the settings.")


def _entry_problems(session: Session, graph: Graph, segment: Segment) -> list[Problem]:
    if graph.on is not None and segment.kind == "snapshot":
        return [Problem("entry.on", f"“{segment.name}” was frozen: nobody comes into it or leaves it.",
                        'Leave "on" out, or name a segment that moves.')]
    return _problems_of(session, InSegment(graph.segment), "entry.segment")


def _rule_problems(session: Session, graph: Graph) -> list[Problem]:
    """Rules may name segments, and those others; all must be there, and so must the scores they ask about."""
    return [problem for place, rule in rules_of(graph).items() for problem in _problems_of(session, rule, place)]


def _problems_of(session: Session, rule: Rule, place: str) -> list[Problem]:
    connection = session.connection()
    try:
        whole = resolved(connection, rule)
    except (Invalid, NotFound) as error:
        return [Problem(place, error.message, "")]
    return [Problem(place, f"It asks for the score “{name}”, which nobody has yet.",
                    "Import or compute the score first, or ask for something else.")
            for name in uncomputed(connection, whole)]
