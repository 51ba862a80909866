"""How does this house plan its campaigns?

Owns the house rules: whether nothing goes out without a second person's approval, what each channel costs, and what
share of an order's value stays when the cost of goods is not known. Until somebody saves them they are such that a shop
of one person can work.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from campaigns.costs import FIRST_PRICES, Price, price_problems, read_prices
from campaigns.models import HouseRules
from campaigns.problems import Problem, insist

ONLY = 1
LONGEST_LEAD_DAYS = 30


@dataclass(frozen=True)
class House:
    """The rules in force. `margin_rate` is 0..1 of an order's value, None: never said; `print_lead_days`: working days
    that the print shop needs before it posts a letter."""

    approval_required: bool = False
    margin_rate: float | None = None
    prices: Mapping[str, Price] = field(default_factory=lambda: dict(FIRST_PRICES))
    print_lead_days: int = 0


def house(session: Session) -> House:
    """The stored rules, or those every house begins with."""
    row = session.get(HouseRules, ONLY)
    return House() if row is None else House(row.approval_required, row.margin_rate, read_prices(row.prices),
                                             row.print_lead_days)


def save_house(session: Session, *, now: datetime, **changed: Any) -> House:
    """Change the given fields of the rules; they hold from the next look on. Raises Invalid with every problem."""
    rules = replace(house(session), **changed)
    problems = [problem for channel, price in rules.prices.items() for problem in price_problems(channel, price)]
    if rules.margin_rate is not None and not 0 < rules.margin_rate <= 1:
        problems.append(Problem("margin_rate", "This is not a share of an order.", "Use more than 0 and up to 100 %."))
    if not 0 <= rules.print_lead_days <= LONGEST_LEAD_DAYS:
        problems.append(Problem("print_lead_days", "This is not a print shop's lead time.",
                                f"Use 0 to {LONGEST_LEAD_DAYS} working days."))
    insist(problems)
    row = session.get(HouseRules, ONLY) or HouseRules(id=ONLY)
    row.approval_required, row.margin_rate, row.updated_at = rules.approval_required, rules.margin_rate, now
    row.print_lead_days = rules.print_lead_days
    row.prices = {channel: price.to_json() for channel, price in rules.prices.items()}
    session.add(row)
    session.flush()
    return rules
