"""Would this journey work?

Owns the checks of what the steps mean together: a start that exists, ways that lead somewhere, no step nobody reaches,
no loop without a wait, and only segments, offers and contents that are there. `check_graph` answers for form and
meaning at once, so an editor shows every problem in one go.
"""

from collections.abc import Collection, Iterator, Mapping

from campaigns.problems import Problem
from journeys.graphs.graph import Call, Give, Graph, Send, Step, Wait, WaitFor, ways_of
from journeys.graphs.reading import Reading, read_graph


def check_graph(
    value: object, *, known_segments: Collection[str], known_offers: Collection[str], known_contents: Collection[str]
) -> list[Problem]:
    """Every problem of a journey given as JSON or as a Graph; an empty list means it can be published."""
    reading = Reading(value, [], frozenset()) if isinstance(value, Graph) else read_graph(value)
    if reading.graph is None:
        return reading.problems
    found = [
        *reading.problems,
        *_names(reading.graph, known_segments, known_offers, known_contents),
        *_ways(reading.graph, reading.unread),
    ]
    # Who reaches what can be judged only once every step can be read.
    return found if reading.problems else [*found, *_unreached(reading.graph), *_loops(reading.graph.steps)]


def _names(
    graph: Graph, segments: Collection[str], offers: Collection[str], contents: Collection[str]
) -> Iterator[Problem]:
    if graph.segment and graph.segment not in segments:
        yield Problem("entry.segment", f"There is no segment called {graph.segment}.", "Save it first.")
    if graph.reentry_days is not None and graph.draws and not (graph.entry.api or graph.entry.manual):
        yield Problem("reentry", "Nobody can come again: the segment's people enter once, at the start.",
                      'Write "never", or let people in by "on", an event or a schedule.')
    given = {step.offer for step in graph.steps.values() if isinstance(step, Send | Give | Call) and step.offer}
    for key, step in graph.steps.items():
        place = f"steps.{key}"
        if isinstance(step, Send | Call) and step.content and step.content not in contents:
            yield Problem(f"{place}.content", f"There is no content called {step.content}.", "Write it first.")
        if isinstance(step, Send | Give | Call):
            if step.offer and step.offer not in offers:
                yield Problem(f"{place}.offer", f"There is no offer called {step.offer}.", "Save it first.")
        elif isinstance(step, Wait) and step.code_ends is not None:
            if step.code_ends not in offers:
                yield Problem(f"{place}.until.code_ends", f"There is no offer called {step.code_ends}.",
                              "Save it first.")
            elif step.code_ends not in given:
                yield Problem(f"{place}.until.code_ends", f"No step gives a code of {step.code_ends}.",
                              "Name an offer that a send, a give or a call of this journey carries.")


def _ways(graph: Graph, unread: frozenset[str]) -> Iterator[Problem]:
    names = ", ".join(list(graph.steps)[:12])
    there = {*graph.steps, *unread, ""}  # an empty name was told already
    if not graph.steps:
        return  # what is wrong with them was told already
    if graph.start not in there:
        yield Problem("start", f"There is no step called {graph.start}.", f"The steps are {names}.")
    for key, step in graph.steps.items():
        for path, target in ways_of(step).items():
            if target not in there:
                yield Problem(f"steps.{key}.{path}", f"There is no step called {target}.", f"The steps are {names}.")


def _unreached(graph: Graph) -> Iterator[Problem]:
    if graph.start in graph.steps:
        reached = _reached(graph)
        for key in graph.steps:
            if key not in reached:
                yield Problem(f"steps.{key}", "No way leads to this step.", "Lead a way to it, or delete it.")


def _reached(graph: Graph) -> set[str]:
    reached, ahead = {graph.start}, [graph.start]
    while ahead:
        for target in ways_of(graph.steps[ahead.pop()]).values():
            if target in graph.steps and target not in reached:
                reached.add(target)
                ahead.append(target)
    return reached


def _takes_time(step: Step) -> bool:
    """Whether an hour surely passes on every visit, or the rest of the day; a wait for a fixed instant lets people
    through once it is past, and one for a rule or a redemption while that holds."""
    if isinstance(step, WaitFor):
        return (step.event is not None or step.ordered) and _takes_time(step.timeout)
    return isinstance(step, Wait) and step.until is None and step.code_ends is None and (
        step.days >= 1 or step.hours >= 1 or (step.at_local_time is not None and not step.hours))


def _loops(steps: Mapping[str, Step]) -> Iterator[Problem]:
    """One problem per group of steps that people could run round in without time passing."""
    timeless = {
        key: [target for target in ways_of(step).values() if target in steps and not _takes_time(steps[target])]
        for key, step in steps.items() if not _takes_time(step)
    }
    told: set[str] = set()
    for key in timeless:
        round_trip = _way_back(key, timeless)
        if round_trip and not told & set(round_trip):
            told |= set(round_trip)
            yield Problem(f"steps.{key}", f"People would run in a circle: {' to '.join([*round_trip, key])}.",
                          "Put a wait of at least an hour into the circle.")


def _way_back(start: str, ways: Mapping[str, list[str]]) -> list[str]:
    """The steps of a shortest round trip from `start`, or an empty list."""
    came_from: dict[str, str] = {}
    ahead = [start]
    for here in ahead:
        for target in ways[here]:
            if target == start:
                path = [here]
                while path[-1] != start:
                    path.append(came_from[path[-1]])
                return path[::-1]
            if target not in came_from:
                came_from[target] = here
                ahead.append(target)
    return []
