"""How does one claimed chunk of people get from step to step?

Owns the walk: people in columns, grouped by the step they stand at, each group decided at once, round after round until
everybody waits, has left, or has passed `MOST_STEPS` steps; then moves and visits are written in two bulk statements.
All of it happens in the caller's transaction.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Table, select, type_coerce
from sqlalchemy.orm import Session

from core.arrays import in_ids
from core.bulk import bulk_update, plain_rows
from core.types import to_us
from customers.changing import set_attributes
from delivery.models import Message
from delivery.outbox import cancel
from journeys.arms.best_arms import draw_arms
from journeys.arms.deciding import WON, winners
from journeys.entry.units import drawn_units
from journeys.exits.exits import Candidates, reasons
from journeys.exits.happened import Waiting, happened
from journeys.exits.leaving import REASONS
from journeys.graphs import steps
from journeys.graphs.graph import BestArm, Branch, Call, Change, Give, Jump, Leave, Send, Split, Wait, WaitFor, Webhook
from journeys.graphs.plans import Plan
from journeys.models import Enrolment
from journeys.visits import Way, record_visits, ways_of
from journeys.walk import calling
from journeys.walk.code_ends import before_code_ends
from journeys.walk.columns import grouped, picked
from journeys.walk.hooking import tell
from journeys.walk.speaking import HELD_OUT, SKIPPED, Listeners, Shelf, Spoken, give, keep_silent, speak, withhold
from segments.engines.members import matching
from segments.saving.lists import change_members

MOST_STEPS = 20
"""Steps one person may pass in one claim; whoever wants more stays due and comes again."""

POOL_LOOK_US, DRAWING_LOOK_US, RULE_LOOK_US = 900 * 1_000_000, 60 * 1_000_000, 24 * 3600 * 1_000_000
"""After this long they are looked at again who wait for a code of an empty pool, for the end of the drawing, for a rule
to hold (some change by time alone)."""

_ENROLMENTS: Table = Enrolment.__table__  # type: ignore[assignment]
_VISIT_COLUMNS = ("enrolment_id", "number", "step", "entered_at", "left_at", "outcome", "detail")
_SILENT_STATES = ("failed", "suppressed", "expired", "cancelled", "withheld")


class Walk:
    """One chunk of people on their way. Places are positions in the columns."""

    def __init__(
        self, session: Session, plans: Mapping[int, Plan], rows: Sequence[Sequence[Any]], *, now: datetime,
        secret_key: str, shelf: Shelf, silent: bool = False,
    ) -> None:
        """`silent`: they pass without anything being said, each message a row that says why."""
        self.session, self.connection = session, session.connection()
        self.plans, self.now, self.now_us = plans, now, to_us(now)
        self.secret_key, self.shelf, self.silent = secret_key, shelf, silent
        columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(15)]
        (self.ids, self.customers, self.versions, self.step, self.visit, self.held, self.arm, self.channel,
         self.step_entered, self.entered, self.until, self.external, self.zone, self.language, self.household) = columns
        count = len(self.ids)
        self.state = ["active"] * count
        self.due: list[int | None] = [self.now_us] * count
        self.left_at: list[int | None] = [None] * count
        self.left_reason: list[str | None] = [None] * count
        self.spoke_now: set[int] = set()
        self.visits: dict[str, list[Any]] = {name: [] for name in _VISIT_COLUMNS}
        self.ways: Counter[Way] = Counter()

    def run(self) -> None:
        """Walk everybody as far as they can go now, and write it."""
        if not self.ids:
            return
        walking = self._let_exit(list(range(len(self.ids))))
        for _round in range(MOST_STEPS):
            if not walking:
                break
            groups = grouped(self.versions, self.step, walking)
            walking = []
            for (version_id, key), places in sorted(groups.items()):
                walking += self._at_step(self.plans[version_id], key, places)
            walking.sort()
        self._write()

    def _at_step(self, plan: Plan, key: str, places: list[int]) -> list[int]:
        """Decide one step for these people; returns those who go on at once."""
        step = plan.graph.steps[key]
        if isinstance(step, Send):
            return self._send(plan, step, places)
        if isinstance(step, Wait):
            return self._wait(plan, step, places)
        if isinstance(step, WaitFor):
            return self._wait_for(plan, step, places)
        if isinstance(step, Branch):
            return self._branch(step, places)
        if isinstance(step, Split):
            return self._split(plan, step, places)
        if isinstance(step, Give):
            return self._give(plan, step, places)
        if isinstance(step, Call):
            return self._call(plan, step, places)
        if isinstance(step, Change):
            return self._change(step, places)
        if isinstance(step, BestArm):
            return self._best_arm(plan, step, places)
        if isinstance(step, Webhook):
            return self._tell(plan, step, places)
        if isinstance(step, Jump):
            return self._go(places, [step.next] * len(places), ["jumped"] * len(places))
        assert isinstance(step, Leave)
        self._pass(places, ["left"] * len(places))
        self._leave(places, "finished", ["finished"] * len(places))
        return []

    def _let_exit(self, places: list[int]) -> list[int]:
        """Before any step: who redeemed, ordered or fits a rule of the journey leaves at once."""
        people = Candidates(self.ids, self.customers, self.versions, self.entered, self.held)
        why = reasons(self.connection, people, self.plans, now=self.now)
        gone: dict[str, list[int]] = {}
        for place in places:
            reason = why[place]
            if reason is not None:
                gone.setdefault(reason, []).append(place)
        for reason, leaving in sorted(gone.items()):
            self._pass(leaving, ["exited"] * len(leaving), [REASONS[reason]] * len(leaving))
            self._leave(leaving, "exited", [reason] * len(leaving))
            cancel(self.connection, [self.ids[place] for place in leaving], reason=REASONS[reason], now=self.now)
        return [place for place in places if why[place] is None] if gone else places

    def _branch(self, step: Branch, places: list[int]) -> list[int]:
        taken: dict[int, str] = {}
        left = places
        for name, rule in step.cases:
            members = matching(self.connection, rule, [self.customers[place] for place in left], as_of=self.now)
            taken |= {place: name for place in left if self.customers[place] in members}
            left = [place for place in left if place not in taken]
        ways = [taken.get(place, step.otherwise) for place in places]
        return self._go(places, [step.next[way] for way in ways], ways)

    def _split(self, plan: Plan, step: Split, places: list[int]) -> list[int]:
        drawn = dict(zip(places, steps.arms(step, plan.journey_key, self._units(plan, places)), strict=True))
        going = [place for place in places if drawn[place] is not None]
        names = [drawn[place] or "" for place in going]
        for place, name in zip(going, names, strict=True):
            self._set_arm(place, name)
        going = self._go(going, [step.next[name] for name in names], names)
        rest = [place for place in places if drawn[place] is None]
        if not rest:
            return going
        # The rest go the winner's way but belong to no arm: they were not drawn beside the others.
        won = winners(self.connection, plan.journey_id).get(step.key)
        if won is None or won not in step.next:
            for place in rest:  # the decision wakes them; one made at this very moment is found by the next look
                self.due[place] = self.now_us + RULE_LOOK_US
            return going
        return going + self._go(rest, [step.next[won]] * len(rest), [won] * len(rest), [WON] * len(rest))

    def _units(self, plan: Plan, places: list[int]) -> list[str]:
        """What is drawn for: the person, the household, or the organisation."""
        columns = (self.customers, self.external, self.household, self.entered)
        return drawn_units(self.connection, plan.graph.unit, *([each[place] for place in places] for each in columns))

    def _set_arm(self, place: int, name: str) -> None:
        # People left alone belong to no arm; they are compared with all of them.
        if self.arm[place] is None and not self.held[place]:
            self.arm[place] = name

    def _best_arm(self, plan: Plan, step: BestArm, places: list[int]) -> list[int]:
        names = draw_arms(
            self.connection, plan, step, enrolment_ids=picked(self.ids, places),
            customer_ids=picked(self.customers, places),
            external_ids=self._units(plan, places),
            entered_us=[self.entered[place] for place in places], held=[self.held[place] for place in places],
            now_us=self.now_us)
        for place, name in zip(places, names, strict=True):
            self._set_arm(place, name)
        return self._go(places, [step.next[name] for name in names], names)

    def _tell(self, plan: Plan, step: Webhook, places: list[int]) -> list[int]:
        """Tell another program of these people; of those left alone it hears nothing."""
        kept = [place for place in places if self.held[place]]
        going = self._go(kept, [step.next] * len(kept), ["withheld"] * len(kept), [HELD_OUT] * len(kept))
        told = [place for place in places if not self.held[place]]
        if told and not self.silent:
            tell(self.connection, plan, step, enrolment_ids=[self.ids[place] for place in told],
                 customer_ids=[self.customers[place] for place in told],
                 external_ids=[self.external[place] for place in told], arms=[self.arm[place] for place in told],
                 visits=[self.visit[place] for place in told], now=self.now)
        why = SKIPPED if self.silent else None
        return going + self._go(told, [step.next] * len(told), ["told"] * len(told), [why] * len(told))

    def _withhold(self, plan: Plan, step: Send | Call, places: list[int]) -> list[int]:
        """Leave those of the hold-out alone, from here on; returns the others."""
        kept = [place for place in places if self.held[place]]
        if kept:
            withhold(self.session, plan, step, self._listeners(kept), now=self.now)
            self._pass(kept, ["withheld"] * len(kept), [HELD_OUT] * len(kept))
            for place in kept:
                self.state[place] = "followed"
                self.step[place] = self.step_entered[place] = self.due[place] = self.until[place] = None
        return [place for place in places if not self.held[place]]

    def _call(self, plan: Plan, step: Call, places: list[int]) -> list[int]:
        """Put a call on the desk, once per visit, and go on by what came of it; until then people stand here."""
        asked = self._withhold(plan, step, places)
        known = calling.outcomes(self.connection, step, [self.ids[place] for place in asked],
                                 [self.visit[place] for place in asked])
        done = {asked[number]: outcome for number, outcome in known.items() if outcome is not None}
        new = [place for number, place in enumerate(asked) if number not in known]
        for number in known:
            self.due[asked[number]] = None  # settling the message wakes them
        if new:
            spoken = self._say(plan, step, new)
            for number, place in enumerate(new):
                if number in spoken.waiting:
                    self.due[place] = self.now_us + POOL_LOOK_US
                elif spoken.channels[number] is None:
                    done[place] = ("not_reached", spoken.details[number])
                else:
                    self.due[place] = None
                    self.channel[place] = self.channel[place] or spoken.channels[number]
        gone = sorted(done)
        return self._go(gone, [step.next[done[place][0]] for place in gone], [done[place][0] for place in gone],
                        [done[place][1] for place in gone])

    def _say(self, plan: Plan, step: Send | Call, places: list[int]) -> Spoken:
        """Speak to these people, or note why not when they pass in silence."""
        people = self._listeners(places)
        if self.silent:
            return keep_silent(self.session, plan, step, people, now=self.now, shelf=self.shelf)
        return speak(self.session, plan, step, people, now=self.now, secret_key=self.secret_key, shelf=self.shelf)

    def _send(self, plan: Plan, step: Send, places: list[int]) -> list[int]:
        addressed = self._withhold(plan, step, places)
        if step.best_first is not None and not plan.drawn:
            for place in addressed:  # who is among the best is known when everybody is in
                self.due[place] = self.now_us + DRAWING_LOOK_US
            addressed = []
        if not addressed:
            return []
        spoken = self._say(plan, step, addressed)
        if spoken.waiting:  # no code, no message: they stay at this step until the pool is filled
            for number in spoken.waiting:
                self.due[addressed[number]] = self.now_us + POOL_LOOK_US
            gone = [number for number in range(len(addressed)) if number not in spoken.waiting]
            addressed = [addressed[number] for number in gone]
            spoken = Spoken([spoken.channels[number] for number in gone], [spoken.details[number] for number in gone])
        outcomes = ["suppressed" if channel is None else "queued" for channel in spoken.channels]
        for place, channel in zip(addressed, spoken.channels, strict=True):
            if channel is not None:
                self.spoke_now.add(place)
                self.channel[place] = self.channel[place] or channel
        return self._go(addressed, [step.next] * len(addressed), outcomes, spoken.details)

    def _give(self, plan: Plan, step: Give, places: list[int]) -> list[int]:
        """Codes without a message; people left alone pass without one."""
        kept = [place for place in places if self.held[place]]
        going = self._go(kept, [step.next] * len(kept), ["withheld"] * len(kept), [HELD_OUT] * len(kept))
        given_to = [place for place in places if not self.held[place]]
        if not given_to:
            return going
        given = give(self.session, plan, step, self._listeners(given_to), now=self.now, shelf=self.shelf)
        for number in given.waiting:
            self.due[given_to[number]] = self.now_us + POOL_LOOK_US
        told = [number for number in range(len(given_to)) if number not in given.waiting]
        return going + self._go(
            [given_to[number] for number in told], [step.next] * len(told),
            ["without" if given.why[number] else "given" for number in told], [given.why[number] for number in told])

    def _change(self, step: Change, places: list[int]) -> list[int]:
        """Change what is known of these people; those left alone stay as they are."""
        kept = [place for place in places if self.held[place]]
        going = self._go(kept, [step.next] * len(kept), ["withheld"] * len(kept), [HELD_OUT] * len(kept))
        changed = [place for place in places if not self.held[place]]
        customers = [self.customers[place] for place in changed]
        if customers and step.values:
            set_attributes(self.connection, customers, dict(step.values))
        for name, on in ((step.add_to, True), (step.remove_from, False)):
            if customers and name is not None:
                change_members(self.session, name, customers, on=on, now=self.now)
        return going + self._go(changed, [step.next] * len(changed), ["changed"] * len(changed))

    def _listeners(self, places: list[int]) -> Listeners:
        return Listeners(
            enrolment_ids=picked(self.ids, places), customer_ids=picked(self.customers, places),
            visits=picked(self.visit, places), arms=picked(self.arm, places), languages=picked(self.language, places),
            returning=[self.channel[place] is not None or self.plans[self.versions[place]].gives for place in places],
        )

    def _wait(self, plan: Plan, step: Wait, places: list[int]) -> list[int]:
        """Park whoever has to wait; a wait counts from the expected arrival of the last message, once that is known."""
        ends, over = self.ends(plan, step, places), []
        for place, end_us in ends.items():
            if end_us <= self.now_us:
                over.append(place)
            else:
                self.due[place] = end_us
        return self._go(over, [step.next] * len(over), ["waited"] * len(over))

    def _wait_for(self, plan: Plan, step: WaitFor, places: list[int]) -> list[int]:
        """Let go whoever has what they wait for, or has waited long enough; the others stand until either comes."""
        people = Waiting(*(picked(column, places) for column in (self.ids, self.customers, self.step_entered)))
        here = happened(self.connection, plan, step, people, now=self.now)
        going = self._go([places[number] for number in sorted(here)], [step.next["yes"]] * len(here),
                         ["yes"] * len(here))
        left = [place for number, place in enumerate(places) if number not in here]
        ends = self.ends(plan, step.timeout, [place for place in left if self.until[place] is None])
        for place, end_us in ends.items():
            self.until[place] = end_us
        over = []
        for place in left:
            end = self.until[place]
            if end is not None and end <= self.now_us:
                over.append(place)
            elif end is not None:
                self.due[place] = end if step.rule is None else min(end, self.now_us + RULE_LOOK_US)
        return going + self._go(over, [step.next["timeout"]] * len(over), ["timeout"] * len(over))

    def ends(self, plan: Plan, step: Wait, places: list[int]) -> dict[int, int]:
        """When the wait of each is over, in microseconds; who waits for a message first is not due before it."""
        bases, parked = self._bases(step, places)
        for place in parked:
            self.due[place] = None
        zones = [self.zone[place] or plan.timezone for place in bases]
        if step.code_ends is None:
            return dict(zip(bases, steps.due(step, list(bases.values()), zones), strict=True))
        return dict(zip(bases, before_code_ends(
            self.connection, plan, step, [self.ids[place] for place in bases],
            [self.customers[place] for place in bases], zones, now_us=self.now_us), strict=True))

    def _bases(self, step: Wait, places: list[int]) -> tuple[dict[int, int], list[int]]:
        """From when each wait counts, in microseconds; and who waits for a message to settle first."""
        bases = {place: self.step_entered[place] for place in places if place not in self.spoke_now}
        parked = [] if step.until is not None else [place for place in places if place in self.spoke_now]
        if step.until is not None:
            return {place: self.step_entered[place] for place in places}, []
        asked = [self.ids[place] for place in bases if self.channel[place] is not None]
        last: dict[int, tuple[str, int | None, int | None]] = {}
        if asked:
            rows = plain_rows(self.connection, (
                select(Message.enrolment_ref, Message.state, type_coerce(Message.settled_at, BigInteger),
                       type_coerce(Message.expected_at, BigInteger))
                .where(in_ids(Message.enrolment_ref, asked)).order_by(Message.id)))
            last = {row[0] or 0: (row[1], row[2], row[3]) for row in rows}
        for place in list(bases):
            state, settled_us, expected_us = last.get(self.ids[place], ("suppressed", 0, None))
            if settled_us is None:
                parked.append(place)
                del bases[place]
            elif state not in _SILENT_STATES:
                bases[place] = max(bases[place], expected_us or settled_us)
        return bases, parked

    def _pass(self, places: list[int], outcomes: Sequence[str], details: Sequence[str | None] | None = None) -> None:
        """Close the current visit of these people."""
        ids, visits, steps_, entered, versions, held = (picked(column, places) for column in (
            self.ids, self.visit, self.step, self.step_entered, self.versions, self.held))
        count = len(places)
        columns = (ids, visits, steps_, entered, [self.now_us] * count, outcomes,
                   [None] * count if details is None else details)
        for name, values in zip(_VISIT_COLUMNS, columns, strict=True):
            self.visits[name] += values
        self.ways.update(ways_of(versions, steps_, outcomes, held))

    def _go(
        self, places: list[int], targets: Sequence[str], outcomes: Sequence[str],
        details: Sequence[str | None] | None = None,
    ) -> list[int]:
        self._pass(places, outcomes, details)
        if len(places) == len(self.ids):
            self.step, self.visit = list(targets), [number + 1 for number in self.visit]
            self.step_entered, self.until = [self.now_us] * len(places), [None] * len(places)
            return places
        for place, target in zip(places, targets, strict=True):
            self.step[place] = target
            self.visit[place] += 1
            self.step_entered[place] = self.now_us
            self.until[place] = None
        return places

    def _leave(self, places: list[int], state: str, why: Sequence[str]) -> None:
        for place, reason in zip(places, why, strict=True):
            self.state[place] = state
            self.step[place] = self.step_entered[place] = self.due[place] = self.until[place] = None
            self.left_at[place], self.left_reason[place] = self.now_us, reason

    def _write(self) -> None:
        bulk_update(self.connection, _ENROLMENTS, "id", {
            "id": self.ids, "state": self.state, "step": self.step, "visit": self.visit, "due_at": self.due,
            "step_entered_at": self.step_entered, "until_at": self.until, "arm": self.arm, "channel": self.channel,
            "left_at": self.left_at, "left_reason": self.left_reason})
        record_visits(self.connection, self.visits, self.ways)
