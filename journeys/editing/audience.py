"""Who would enter this campaign's journey today, and who not, line by line?

Owns the waterfall of a campaign's reach: its segment, minus each exclusion, minus who no channel may reach, then the
hold-out and the arms. Everybody stands in one line only. Each exclusion is counted by one statement on the engine that
answers for a base of this size; channels, hold-out and arms are worked out for everybody, or beyond `MOST_REACHED`
people for an even spread of as many. The promise: a number and the people behind it come from the same question.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from campaigns.costs import Price
from campaigns.excluding import Exclusion, exclusions
from campaigns.house import house
from campaigns.models import Campaign
from campaigns.planning import campaign_by_key
from campaigns.showing import segment_key
from core.arrays import in_ids
from core.bulk import chunks
from core.errors import NotFound
from core.types import to_us
from customers.models import Customer
from delivery.policy import CHANNELS, channel_words
from delivery.preference import Choice, choose_channels
from journeys.editing.editing import newest_version
from journeys.editing.reached_first import reached_first
from journeys.entry.allotting import best_first_steps
from journeys.entry.holding_out import global_percent, left_alone
from journeys.entry.households import HOUSEHOLD, others_of_homes
from journeys.entry.ranking import best, places_of_best, ranking_of
from journeys.entry.units import drawn_units
from journeys.graphs.graph import UNITS, BestFirst, Graph, Split, ways_of
from journeys.graphs.reading import read_graph
from journeys.graphs.steps import arms
from journeys.models import Journey, Version
from segments.engines.questions import Questions
from segments.language.conditions import All, InSegment, Not, Rule
from segments.saving.saved import segment_rule

MOST_REACHED = 20_000
START, REACHED, SILENT, HELD_OUT, BEYOND = "start", "reached", "silent", "held_out", "beyond"
MATES = "household"
_MATES_WORDS = "Another of the household comes in"
_CHUNK = 5_000


@dataclass(frozen=True)
class Line:
    """One line: `part` names it in addresses, `kind` is start, minus, left, channel, held_out or arm."""

    part: str
    kind: str
    words: str
    people: int


@dataclass(frozen=True)
class Audience:
    """The lines in their order. Those below the exclusions were worked out for `of` people of `left`.

    `spoken_to`: per channel the people who are not left alone, scaled to all of `left`.
    """

    lines: tuple[Line, ...]
    left: int
    of: int
    spoken_to: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class _Frame:
    """What the waterfall of one campaign is asked with."""

    campaign: Campaign
    segment: Rule
    exclusions: tuple[Exclusion, ...]
    journey: str
    graph: Graph | None
    holdout_percent: float
    global_percent: float
    ranking: Mapping[str, Any] | None
    prices: Mapping[str, Price]

    def best_first(self) -> Mapping[str, BestFirst]:
        """The steps that speak to the best first; none while nobody knows who that is."""
        return {} if self.graph is None or self.ranking is None else best_first_steps(self.graph)

    def without(self, places: int) -> All:
        """The segment without the people of the first so many exclusions."""
        return All((self.segment, *(Not(each.rule) for each in self.exclusions[:places])))

    def split(self) -> Split | None:
        """The first split on the way from the start, where the arms are drawn."""
        steps = {} if self.graph is None else self.graph.steps
        ahead = [] if self.graph is None else [self.graph.start]
        for here in ahead:
            step = steps.get(here)
            if isinstance(step, Split):
                return step
            ahead += [way for way in ([] if step is None else ways_of(step).values()) if way not in ahead]
        return None


def audience(questions: Questions, key: str, *, now: datetime, secret_key: str) -> Audience:
    """The waterfall of this campaign as things stand. Raises NotFound without a segment, NotReady, TooSlow."""
    frame = _frame(questions, key)
    start = questions.count(frame.segment, as_of=now, fresh=False).value
    lines = [Line(START, "start", "In the segment", start)]
    for place, each in enumerate(frame.exclusions):
        people = questions.count(All((frame.without(place), each.rule)), as_of=now, fresh=False).value
        lines.append(Line(each.key, "minus", _sentence_case(each.reason), people))
    left = questions.ids(frame.without(len(frame.exclusions)), as_of=now, fresh=False).value
    left, mates = _one_each(questions, frame, left)
    if mates:
        lines.append(Line(MATES, "minus", _MATES_WORDS, len(mates)))
    everybody, left = len(left), _best(questions, frame, left, now=now)
    if len(left) < everybody:
        lines.append(Line(BEYOND, "minus", f"Not among the best {len(left):,}", everybody - len(left)))
    asked = spread(left)
    with questions.database.reading() as session:
        found = Counter(_parts(session.connection(), frame, asked, of=len(left), now=now, secret_key=secret_key))
    scale = len(left) / len(asked) if asked else 0.0
    spoken_to = tuple((name, round(scale * sum(people for (channel, held, _arm, _best), people in found.items()
                                               if channel == name and not held))) for name in CHANNELS)
    return Audience((*lines, *_below(frame, found, len(asked))), len(left), len(asked), spoken_to)


def people_in(
    questions: Questions, key: str, part: str, *, now: datetime, secret_key: str
) -> tuple[Line, list[int]]:
    """One line of the waterfall and the ids of its people, rising. Raises NotFound for a part there is not."""
    frame = _frame(questions, key)
    if part == START:
        ids = questions.ids(frame.segment, as_of=now, fresh=False).value
        return Line(part, "start", "In the segment", len(ids)), ids
    for place, each in enumerate(frame.exclusions):
        if each.key == part:
            ids = questions.ids(All((frame.without(place), each.rule)), as_of=now, fresh=False).value
            return Line(part, "minus", _sentence_case(each.reason), len(ids)), ids
    everybody = questions.ids(frame.without(len(frame.exclusions)), as_of=now, fresh=False).value
    everybody, mates = _one_each(questions, frame, everybody)
    if part == MATES and mates:
        return Line(part, "minus", _MATES_WORDS, len(mates)), mates
    left = _best(questions, frame, everybody, now=now)
    if part == BEYOND:
        chosen = set(left)
        beyond = [each for each in everybody if each not in chosen]
        return Line(part, "minus", f"Not among the best {len(left):,}", len(beyond)), beyond
    asked = spread(left)
    with questions.database.reading() as session:
        found = _parts(session.connection(), frame, asked, of=len(left), now=now, secret_key=secret_key)
    for line in _below(frame, Counter(found), len(asked)):
        if line.part == part:
            return line, [customer_id for customer_id, own in zip(asked, found, strict=True) if _belongs(own, part)]
    raise NotFound("There is no such line in this campaign's reach.")


def _one_each(questions: Questions, frame: _Frame, left: list[int]) -> tuple[list[int], list[int]]:
    """Who comes in of each household, and who stays out for them; everybody where people are drawn one by one."""
    if frame.graph is None or frame.graph.unit != HOUSEHOLD:
        return left, []
    with questions.database.reading() as session:
        others = others_of_homes(session.connection(), left)
    return [each for each in left if each not in others], [each for each in left if each in others]


def _best(questions: Questions, frame: _Frame, left: list[int], *, now: datetime) -> list[int]:
    """Those of them who would enter where the journey takes only the best; all while nobody knows who that is."""
    count = None if frame.graph is None else frame.graph.entry.top
    if count is None or count >= len(left):
        return left
    if frame.ranking is None:
        return left
    with questions.database.reading() as session:
        return best(session.connection(), left, frame.ranking, count, as_of=now)


def spread(ids: Sequence[int]) -> Sequence[int]:
    """All of them, or as many as the reach is worked out for, evenly spread."""
    return ids[::-(-len(ids) // MOST_REACHED) or 1]


_Part = tuple[str, bool, str | None, str | None]
"""Channel ("" for none), whether held out, the arm (None without a split or for the hold-out), and the step at which
somebody is among the best (None: at none)."""


def _belongs(own: _Part, part: str) -> bool:
    channel, held, arm, best = own
    if part in (SILENT, REACHED):
        return (not channel) == (part == SILENT)
    if part == HELD_OUT:
        return bool(channel) and held
    return bool(channel) and part in (f"channel:{channel}", f"arm:{arm}", f"best:{best}")


def _below(frame: _Frame, found: Counter[_Part], asked: int) -> list[Line]:
    """The lines below the exclusions."""
    def count(part: str) -> int:
        return sum(people for own, people in found.items() if _belongs(own, part))

    lines = [Line(SILENT, "minus", "No channel allowed", count(SILENT)),
             Line(REACHED, "left", "Reachable", asked - count(SILENT))]
    lines += [Line(f"channel:{name}", "channel", name, count(f"channel:{name}")) for name in CHANNELS]
    if frame.holdout_percent or frame.global_percent:
        lines.append(Line(HELD_OUT, "held_out", "Left alone for comparison", count(HELD_OUT)))
    split = frame.split()
    if split is not None:
        lines += [Line(f"arm:{name}", "arm", name, count(f"arm:{name}")) for name, _share in split.arms]
    lines += [Line(f"best:{key}", "best", f"The best, by {channel_words(first.channel)}", count(f"best:{key}"))
              for key, first in frame.best_first().items()]
    return lines


def _parts(
    connection: Connection, frame: _Frame, ids: Sequence[int], *, of: int, now: datetime, secret_key: str
) -> list[_Part]:
    """Per person the channel that would be chosen, and what would be drawn, as the runner will draw it."""
    split, found, everybody = frame.split(), list[_Part](), list[str]()
    for part in chunks(ids, _CHUNK):
        choices: list[Choice] = choose_channels(connection, part, wish="preferred", allowed=CHANNELS, now=now,
                                                secret_key=secret_key)
        numbers: dict[int, str] = dict(connection.execute(
            select(Customer.id, Customer.external_id).where(in_ids(Customer.id, part))).all())
        external_ids = [numbers.get(customer_id, "") for customer_id in part]
        homes: dict[int, str | None] = {}
        if frame.graph is not None and frame.graph.unit == HOUSEHOLD:
            homes = dict(connection.execute(
                select(Customer.id, Customer.household).where(in_ids(Customer.id, part))).all())
        units = drawn_units(connection, UNITS[0] if frame.graph is None else frame.graph.unit, part, external_ids,
                            [homes.get(customer_id) for customer_id in part], [to_us(now)] * len(part))
        held = left_alone(frame.journey, external_ids, percent=frame.holdout_percent,
                          global_percent=frame.global_percent, units=units)
        drawn = [None] * len(part) if split is None else arms(split, frame.journey, units)
        found += [(choice.channel or "", kept, None if kept else arm, None)
                  for choice, kept, arm in zip(choices, held, drawn, strict=True)]
        everybody += units
    if frame.graph is not None and frame.ranking is not None and ids:
        for place, (channel, best) in reached_first(
                connection, frame.graph, frame.journey, ids, everybody, [own[1] for own in found],
                ranking=frame.ranking, prices=frame.prices, scale=of / len(ids), now=now,
                secret_key=secret_key).items():
            found[place] = (channel, *found[place][1:3], best)
    return found


def _frame(questions: Questions, key: str) -> _Frame:
    with questions.database.reading() as session:
        campaign = campaign_by_key(session, key)
        journey, graph = graph_of(session, campaign)
        segment = graph.segment if graph is not None and graph.segment else segment_key(session, campaign)
        if segment is None:
            raise NotFound("No segment is chosen yet.")
        version = campaign.segment_version if journey is not None and campaign.state != "draft" else None
        # Of a frozen version the pinned rule; people named one by one have a name only.
        rule = InSegment(segment) if version is None else _pinned(session, segment, version)
        # Before there is a journey, the one that the form makes: it applies the house list.
        found = exclusions(session, campaign, standing=graph is None or graph.standing)
        newest = None if journey is None else newest_version(session, journey)
        ranking = None if graph is None or not places_of_best(graph) else ranking_of(session, campaign)
        prices = house(session).prices
        everywhere = global_percent(session) if newest is None else newest.pins.get("global_percent", 0.0)
    percent = campaign.holdout_percent if graph is None or graph.holdout_percent is None else graph.holdout_percent
    return _Frame(campaign, rule, tuple(found), key if journey is None else journey.key, graph, percent, everywhere,
                  ranking, prices)


def _pinned(session: Session, segment: str, version: int) -> Rule:
    try:
        return segment_rule(session, segment, version=version)
    except NotFound:
        return InSegment(segment)


def graph_of(session: Session, campaign: Campaign) -> tuple[Journey | None, Graph | None]:
    """The campaign's journey and its newest version's graph, else its draft as far as it can be read."""
    journey = session.scalars(select(Journey).where(Journey.campaign_id == campaign.id)).one_or_none()
    if journey is None:
        return None, None
    newest = session.scalars(select(Version).where(Version.journey_id == journey.id)
                             .order_by(Version.number.desc()).limit(1)).one_or_none()
    return journey, read_graph(journey.draft if newest is None else newest.graph).graph


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
