"""A journey as the pages show it: its drawing, with names from the data and the entry in words.

Owns gathering what the drawing needs. The promise: as much of a graph is drawn as can be read.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.problems import Problem
from coupons.offers.offers import list_offers
from delivery.contents import list_contents
from journeys.graphs.graph import ENTERING, LEAVING, Graph
from journeys.graphs.reading import read_graph
from journeys.telling.showing import Traffic
from segments.saving.saved import list_segments
from web.frame.presentation import zone
from web.journeys.drawing import Drawing, Frame, draw
from web.journeys.words import Names, StepWords, entry_line
from web.requests.transactions import request_now
from web.wording.states import window_words


def names_of(session: Session) -> Names:
    """What everything that a journey can name is called."""
    return Names(
        contents={each.key: each.name for each in list_contents(session)},
        offers={each.key: each.name for each in list_offers(session, limit=1000)},
        segments={each.key: each.name for each in list_segments(session, archived=True)})


def picture(
    session: Session, campaign: Campaign, raw: dict[str, Any], numbers: Traffic | None, problems: list[Problem],
    marks: Mapping[str, str] | None = None,
) -> Drawing | None:
    """The drawing of as much of the graph as can be read; None when there is nothing to draw."""
    graph = read_graph(raw).graph
    if graph is None or not graph.steps:
        return None
    names = names_of(session)
    holdout = campaign.holdout_percent if graph.holdout_percent is None else graph.holdout_percent
    return draw(graph, raw, names, Frame(entry_words(graph, campaign, names), holdout), traffic=numbers, zone=zone(),
                problems=problems, marks=marks)


def entry_words(graph: Graph, campaign: Campaign, names: Names) -> StepWords:
    """Who enters, and when."""
    segment = names.segments.get(graph.segment, graph.segment)
    window = window_words(campaign, now=request_now())
    other = entry_line(graph.entry, segment)
    line, whole = other or _ENTRIES[graph.on]
    name = segment or (graph.entry.event if graph.entry.event is not None else "People let in") if other else (
        segment or "No segment")
    if other is None and (graph.entry.api or graph.entry.manual):
        whole += " Others are let in by a program or a colleague."
    return StepWords(name, "door-exit" if graph.on == LEAVING else "door-enter",
                     line + (f", {window}" if "no window" not in window else ""),
                     f"{whole if other else whole.format(name)} {_again(graph.reentry_days)}{_group(graph)}"
                     f"Window: {window}.")


def _group(graph: Graph) -> str:
    if graph.group is None:
        return ""
    first = f", priority {graph.priority}" if graph.priority else ""
    return f"A person is in one journey of the group “{graph.group}” at a time{first}. "


def _again(days: int | None) -> str:
    if days is None:
        return ""
    return "Whoever has left may come again at any time. " if days == 0 else (
        f"Whoever has left may come again {days} {'day' if days == 1 else 'days'} after entering. ")


_ENTRIES: dict[str | None, tuple[str, str]] = {
    None: ("enter once", "Whoever is in the segment “{}” enters once."),
    ENTERING: ("enter on coming in", "Who comes into the segment “{}” from the publishing on enters then, once."),
    LEAVING: ("enter on leaving it", "Who leaves the segment “{}” from the publishing on enters then, once."),
}
