"""A journey as the pages show it: its drawing, with names from the data and the entry in words.

Owns gathering what the drawing needs. The promise: as much of a graph is drawn as can be read.
"""

from typing import Any

from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.problems import Problem
from coupons.offers import list_offers
from delivery.contents import list_contents
from journeys.graph import ENTERING, LEAVING, Graph
from journeys.reading import read_graph
from journeys.showing import Traffic
from segments.saving.saved import list_segments
from web.journey_drawing import Drawing, Frame, draw
from web.journey_words import Names, StepWords
from web.presentation import zone
from web.transactions import request_now
from web.words import window_words


def names_of(session: Session) -> Names:
    """What everything that a journey can name is called."""
    return Names(
        contents={each.key: each.name for each in list_contents(session)},
        offers={each.key: each.name for each in list_offers(session, limit=1000)},
        segments={each.key: each.name for each in list_segments(session, archived=True)})


def picture(
    session: Session, campaign: Campaign, raw: dict[str, Any], numbers: Traffic | None, problems: list[Problem]
) -> Drawing | None:
    """The drawing of as much of the graph as can be read; None when there is nothing to draw."""
    graph = read_graph(raw).graph
    if graph is None or not graph.steps:
        return None
    names = names_of(session)
    holdout = campaign.holdout_percent if graph.holdout_percent is None else graph.holdout_percent
    return draw(graph, raw, names, Frame(entry_words(graph, campaign, names), holdout), traffic=numbers, zone=zone(),
                problems=problems)


def entry_words(graph: Graph, campaign: Campaign, names: Names) -> StepWords:
    """Who enters, and when."""
    name = names.segments.get(graph.segment, graph.segment) or "No segment"
    window = window_words(campaign, now=request_now())
    line, whole = _ENTRIES[graph.on]
    return StepWords(name, "door-exit" if graph.on == LEAVING else "door-enter",
                     line + (f", {window}" if "no window" not in window else ""),
                     f"{whole.format(name)} Window: {window}.")


_ENTRIES: dict[str | None, tuple[str, str]] = {
    None: ("enter once", "Who is in the segment “{}” enters once."),
    ENTERING: ("enter on coming in", "Who comes into the segment “{}” from the publishing on enters then, once."),
    LEAVING: ("enter on leaving it", "Who leaves the segment “{}” from the publishing on enters then, once."),
}
