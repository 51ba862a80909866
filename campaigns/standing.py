"""Whom does this house leave out of every campaign, whatever its segment says?

Owns the standing exclusions: one list for the house, each an ordinary rule with a name, on or off. The promises: a
change holds for the next person who enters and the next message that goes; two tabs cannot overwrite each other; and a
rule that cannot be asked today is refused when it is saved, not when a campaign runs.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import StandingExclusion
from campaigns.problems import Problem, insist
from campaigns.standing_defaults import DEFAULTS
from core.errors import Conflict, Invalid, NotFound
from segments.compiling.scored import uncomputed
from segments.language.conditions import Measured, Rule
from segments.language.rules import parse_rule
from segments.saving.saved import resolved

MOST = 40
"""Each is one more question about everybody who enters."""
LONGEST_NAME = 50
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_OWN_DOING = {("coupons", "issued"), ("messages", "sent")}


@dataclass(frozen=True)
class Standing:
    """One exclusion of the house. `version` 0: as it was at first; `built_in` ones can be switched off, not removed."""

    key: str
    name: str
    written: Mapping[str, Any]
    active: bool
    version: int

    @property
    def rule(self) -> Rule:
        """The rule as a tree."""
        return parse_rule(self.written)

    @property
    def built_in(self) -> bool:
        """Whether it belongs to the list that every house begins with."""
        return self.key in DEFAULTS

    @property
    def asked_again(self) -> bool:
        """Whether it is asked again before each message.

        What the campaign itself does to a person (it gives a coupon, it sends) must not silence its own next message.
        """
        return not any(isinstance(node, Measured) and (node.source, node.measure) in _OWN_DOING
                       for node in self.rule.walk())


def list_standing(session: Session, *, active: bool = False) -> list[Standing]:
    """The house list in the order in which people are counted out, the house's own last; `active`: only those on."""
    stored = {row.key: row for row in session.scalars(select(StandingExclusion).order_by(StandingExclusion.id))}
    found = [_standing(key, stored.pop(key, None)) for key in DEFAULTS]
    found += [_standing(row.key, row) for row in stored.values()]
    return [each for each in found if each.active or not active]


def standing_by_key(session: Session, key: str) -> Standing:
    """One exclusion. Raises NotFound."""
    row = session.scalars(select(StandingExclusion).where(StandingExclusion.key == key)).one_or_none()
    if row is None and key not in DEFAULTS:
        raise NotFound(f"There is no standing exclusion {key}.")
    return _standing(key, row)


def save_standing(
    session: Session, key: str, *, name: str | None = None, rule: object = None, active: bool | None = None,
    expected_version: int | None = None, now: datetime,
) -> Standing:
    """Change what is given of an exclusion, or add one of the house's own (then `name` and `rule` are needed).

    Raises Invalid with every problem, Conflict when `expected_version` is not the stored one.
    """
    row = session.scalars(
        select(StandingExclusion).where(StandingExclusion.key == key).with_for_update()).one_or_none()
    is_new = row is None and key not in DEFAULTS
    problems = [*_key_problems(session, key, is_new), *_name_problems(name, is_new),
                *_rule_problems(session, rule, is_new)]
    insist(problems)
    if expected_version is not None and expected_version != (row.version if row else 0):
        raise Conflict("This exclusion was changed in another tab. Load the list again.")
    if row is None:
        first, written = DEFAULTS.get(key, ("", {}))
        row = StandingExclusion(key=key, name=first, rule=dict(written), active=True, version=0, updated_at=now)
        session.add(row)
    if name is not None:
        row.name = name.strip()
    if rule is not None:
        row.rule = parse_rule(rule).to_json()
    if active is not None:
        row.active = active
    row.version, row.updated_at = row.version + 1, now
    session.flush()
    return _standing(key, row)


def remove_standing(session: Session, key: str) -> None:
    """Take one of the house's own off the list. Raises NotFound, Conflict for one that is built in."""
    if key in DEFAULTS:
        raise Conflict("This one belongs to every list. Switch it off instead.")
    row = session.scalars(select(StandingExclusion).where(StandingExclusion.key == key)).one_or_none()
    if row is None:
        raise NotFound(f"There is no standing exclusion {key}.")
    session.delete(row)
    session.flush()


def _standing(key: str, row: StandingExclusion | None) -> Standing:
    if row is not None:
        return Standing(key, row.name, row.rule, row.active, row.version)
    name, written = DEFAULTS[key]
    return Standing(key, name, written, True, 0)


def _key_problems(session: Session, key: str, is_new: bool) -> Sequence[Problem]:
    if not _KEY.fullmatch(key):
        return [Problem("key", f"{key!r} cannot be a key.", "Use small letters, digits and _, at most 40.")]
    if is_new and len(list_standing(session)) >= MOST:
        return [Problem("key", f"There are {MOST} exclusions already.", "Put several conditions into one segment.")]
    return []


def _name_problems(name: str | None, is_new: bool) -> Sequence[Problem]:
    if name is None and not is_new:
        return []
    if name is None or not name.strip() or len(name.strip()) > LONGEST_NAME or not name.isprintable():
        return [Problem("name", "The exclusion has no name that can be shown.",
                        f"Say in at most {LONGEST_NAME} characters who is left out, for example “open order”.")]
    return []


def _rule_problems(session: Session, rule: object, is_new: bool) -> Sequence[Problem]:
    if rule is None:
        return [Problem("rule", "The exclusion has no rule.", "Write one, as in a segment.")] if is_new else []
    connection = session.connection()
    try:
        whole = resolved(connection, parse_rule(rule))
    except (Invalid, NotFound) as error:
        return [Problem(f"rule.{error.place}" if error.place else "rule", error.message, "")]
    return [Problem("rule", f"It asks for the score “{name}”, which nobody has yet.", "Import or compute it first.")
            for name in uncomputed(connection, whole)]
