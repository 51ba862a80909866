"""How did people respond to past campaigns, by where they stood in the grid of recency and frequency then?

Owns the past response beside the RFM grid. The promise: everybody stands where the orders before that campaign put
them, so that a redemption never lifts its own cell; a person counts once per campaign. This is response, not effect.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from core.statistics.estimates import Interval
from core.statistics.proportions import Count, rate
from reporting.histories import chosen_campaigns, responses, started_at
from reporting.responders import FEWEST_PEOPLE
from segments.engines.questions import Questions
from segments.proposals.rfm_grid import Place, standing

MOST_CAMPAIGNS = 6
"""Each campaign asks anew where everybody stood; so many of the newest ones are looked at."""


@dataclass(frozen=True)
class Past:
    """People addressed and redeemers per cell, over `campaigns` (names, oldest first); `left_out` were older or have
    no known start. `unplaced` people had not ordered before."""

    cells: Mapping[Place, Count]
    campaigns: tuple[str, ...]
    left_out: int
    unplaced: int

    def pooled(self, places: Iterable[Place]) -> Interval:
        """The rate of some cells together with its Wilson interval; nan when they hold nobody."""
        return rate(self._sum(places))

    def others(self, places: Iterable[Place]) -> Interval:
        """The rate of all other cells together."""
        chosen = set(places)
        return rate(self._sum(place for place in self.cells if place not in chosen))

    def enough(self, places: Iterable[Place]) -> bool:
        """Whether people enough were addressed to show a rate."""
        return self._sum(places).n >= FEWEST_PEOPLE

    @property
    def looked_at(self) -> int:
        """Cells with people enough to be looked at."""
        return sum(1 for count in self.cells.values() if count.n >= FEWEST_PEOPLE)

    def _sum(self, places: Iterable[Place]) -> Count:
        chosen = [self.cells[place] for place in set(places) if place in self.cells]
        return Count(sum(count.hits for count in chosen), sum(count.n for count in chosen))


def past_response(questions: Questions, *, now: datetime) -> Past:
    """Who redeemed in the newest campaigns that are over, by cell. Raises NotReady as `Questions.read` does."""
    with questions.database.reading() as session:
        over = chosen_campaigns(session, None, now=now)
        chosen = [campaign for campaign in over if started_at(campaign) is not None][-MOST_CAMPAIGNS:]
        found = responses(session, chosen, now=now)
        starts = [(campaign.id, campaign.name, started_at(campaign)) for campaign in chosen]
    people, redeemers = Counter[Place](), Counter[Place]()
    unplaced = 0
    for campaign_id, _name, at in starts:
        stood = standing(questions, (who for who, _redeemed in found[campaign_id]), at=at or now, now=now)
        for who, redeemed in found[campaign_id]:
            place = stood.get(who)
            if place is None:
                unplaced += 1
                continue
            people[place] += 1
            redeemers[place] += redeemed
    cells = {place: Count(redeemers[place], count) for place, count in people.items()}
    return Past(cells, tuple(name for _id, name, _at in starts), len(over) - len(chosen), unplaced)
