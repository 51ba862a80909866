"""Random journeys that pass the check, random people, and random things that happen to them over weeks."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from core.database import Database
from coupons.models import Code, Redemption
from customers.consents import record_consent
from customers.models import Customer
from delivery.channels import Channel
from delivery.contact_rules import save_contact_rules
from journeys.editing.checking_draft import check_draft
from journeys.editing.editing import journey_by_key, pause, publish, resume, save_draft
from journeys.models import Enrolment
from tests.delivery.ledger import sink
from tests.journeys.shop import add_event, add_order, day, furnish, go

KINDS = ("send", "send", "wait", "wait", "wait_for", "branch", "split", "rest", "best_arm", "give", "change", "jump")
ZONES = (None, "America/New_York", "Asia/Kolkata", "Pacific/Auckland")


def graph_of(dice: random.Random, version: int) -> dict[str, Any]:
    """A journey of this version whose steps say so in their names; its ways lead forward, so that everybody ends."""
    length = dice.randint(3, 9)
    names = [f"v{version}_{number}" for number in range(length)] + [f"v{version}_end"]
    steps: dict[str, Any] = {names[-1]: {"kind": "leave"}}
    for number in range(length):
        steps[names[number]] = _step(dice, names[number + 1:])
    reached, ahead = {names[0]}, [names[0]]
    while ahead:
        following = steps[ahead.pop()].get("next", {})
        for target in [following] if isinstance(following, str) else following.values():
            if target not in reached:
                reached.add(target)
                ahead.append(target)
    graph = {"entry": {"segment": "lapsed"}, "start": names[0], "holdout_percent": 20,
             "steps": {name: step for name, step in steps.items() if name in reached}}
    if dice.random() < 0.5:
        graph["exit_when"] = []
    if dice.random() < 0.3:
        graph["quiet_hours"] = {"from": "20:00", "until": "07:30"}
    return graph


def _step(dice: random.Random, ahead: list[str]) -> dict[str, Any]:
    kind = dice.choice(KINDS)
    following = ahead[0] if dice.random() < 0.7 else dice.choice(ahead)
    two = {"A": ahead[0], "B": dice.choice(ahead)}
    at = {"at_local_time": dice.choice(["02:30", "09:00"])} if dice.random() < 0.4 else {}
    if kind == "send":
        offer = {"offer": dice.choice(["ten-percent", "fifteen"])} if dice.random() < 0.7 else {}
        return {"kind": "send", "content": "offer-a", **offer, "fallback": dice.random() < 0.5, "next": following}
    if kind == "wait":
        return {"kind": "wait", "days": dice.randint(1, 5), **at, "next": following}
    if kind == "wait_for":
        what: dict[str, Any] = dice.choice([{"ordered": True}, {"event": "visit"}, {"redeemed": True}])
        return {"kind": "wait_for", **what, "days": dice.randint(1, 4), "next": {"yes": two["A"], "timeout": two["B"]}}
    if kind == "branch":
        rule = dice.choice([{"preferred_channel": "letter"}, {"orders": "count", "at_least": 1},
                            {"sample": {"percent": 40, "salt": "x"}}])
        return {"kind": "branch", "if": rule, "next": {"yes": two["A"], "no": two["B"]}}
    if kind == "split":
        return {"kind": "split", "arms": {"A": 50, "B": 50}, "next": two}
    if kind == "rest":
        return {"kind": "split", "arms": {"A": 30, "B": 30}, "rest": {"percent": 40, "days": 1}, "next": two}
    if kind == "best_arm":
        return {"kind": "best_arm", "arms": ["A", "B"], "days": 1, "next": two}
    if kind == "give":
        return {"kind": "give", "offer": "ten-percent", "next": following}
    if kind == "change":
        return {"kind": "change", "set": {"tier": "gold"}, "next": following}
    return {"kind": "jump", "next": following}


@dataclass
class Course:
    """One random course of events on one database; the same seed does the same on every database."""

    seed: int
    database: Database
    folder: Path
    now: datetime
    people: int = 12
    versions: int = 0
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.channels: dict[str, Channel] = sink(self.folder)[0]
        self.paused = False
        furnish(self.database, range(1, self.people + 1), now=self.now, channels=("email", "letter"), ends_in_days=60)
        with self.database.writing() as session:
            for person in range(1, self.people + 1):
                session.execute(update(Customer).where(Customer.id == person).values(
                    timezone=self.dice.choice(ZONES),
                    preferred_channel=self.dice.choice([None, "email", "letter"])))
            if self.dice.random() < 0.5:
                save_contact_rules(session, {"zone": "Europe/Berlin", "together": {"count": 1, "days": 2}},
                                   author=None, now=self.now)
        self.graphs: dict[int, dict[str, Any]] = {}
        self._publish()

    def _publish(self) -> None:
        graph = self._good()
        self.versions += 1
        self.graphs[self.versions] = graph
        if self.versions == 1:
            go(self.database, graph, now=self.now)
            return
        with self.database.writing() as session:
            journey = journey_by_key(session, "winback")
            save_draft(session, "winback", graph, campaign_id=journey.campaign_id, now=self.now)
            publish(session, "winback", now=self.now)

    def _good(self) -> dict[str, Any]:
        """A journey that passes the check; the others (a letter that comes too late) are drawn again."""
        for _ in range(50):
            graph = graph_of(self.dice, self.versions + 1)
            with self.database.reading() as session:
                if not check_draft(session, graph):
                    return graph
        raise AssertionError("no journey passes the check")

    def act(self) -> None:
        """One thing happens, and then the worker does what is due."""
        act = self.dice.choice(["hours", "days", "days", "order", "event", "redeem", "withdraw", "publish", "pause",
                                "back", "twice"])
        self.log.append(act)
        person = self.dice.randint(1, self.people)
        number = str(len(self.log))
        if act in ("hours", "days"):
            self.now += timedelta(hours=self.dice.randint(1, 20)) if act == "hours" else timedelta(
                days=self.dice.randint(1, 4), minutes=self.dice.randint(0, 600))
        elif act == "back":
            self.now -= timedelta(minutes=self.dice.randint(1, 120))
        elif act == "order":
            add_order(self.database, person, at=self.now, number=number)
        elif act == "event":
            add_event(self.database, person, "visit", at=self.now, told=number)
        elif act == "redeem":
            self._redeem(person, number)
        elif act == "withdraw":
            with self.database.writing() as session:
                record_consent(session, person, channel="email", state="withdrawn", now=self.now)
        elif act == "publish" and self.versions < 3 and not self.paused:
            self._publish()
        elif act == "pause":
            with self.database.writing() as session:
                if self.paused:
                    resume(session, "winback", overdue=self.dice.choice(["send", "skip", "shift"]), now=self.now)
                else:
                    pause(session, "winback", now=self.now)
            self.paused = not self.paused
        self.work()
        if act == "twice":
            self.work()

    def work(self) -> None:
        """Everything a worker does now."""
        day(self.database, self.folder, self.channels, now=self.now)

    def _redeem(self, person: int, number: str) -> None:
        with self.database.writing() as session:
            code = session.scalars(select(Code).where(Code.customer_id == person, Code.state == "issued")
                                   .order_by(Code.id)).first()
            if code is None:
                return
            code.state, code.used = "redeemed", 1
            session.add(Redemption(
                public_id=f"r{number}", code_id=code.id, code_text=code.code, offer_id=code.offer_id,
                origin=code.origin, campaign=code.campaign, customer_id=person, shop="", order_ref=f"r{number}",
                discount_cents=100,
                currency="EUR", state="redeemed", redeemed_at=self.now))

    def inside(self) -> int:
        """How many people are still somewhere."""
        with self.database.reading() as session:
            return len(list(session.scalars(select(Enrolment.id).where(Enrolment.state == "active"))))
