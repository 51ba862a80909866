"""Why may a code not be redeemed, in one word for programs and one sentence for people?

Owns the closed list of reasons, each with its kind (`conflict`: the stored state forbids it; `unfit`: code and order
do not fit), and the refusal as a value. A refusal is an expected outcome, never an exception.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["conflict", "unfit"]

REASONS: dict[str, tuple[Kind, str]] = {
    "already_redeemed": ("conflict", "This code has been used already."),
    "limit_reached": ("conflict", "This offer has been used as often as it may be."),
    "budget_exhausted": ("conflict", "What is left of this offer's budget does not cover the discount."),
    "order_cancelled": ("conflict", "This order was cancelled; a code cannot be redeemed for it any more."),
    "unknown_code": ("unfit", "There is no such code. Check it for typing mistakes."),
    "not_yet_valid": ("unfit", "This code is not valid yet."),
    "expired": ("unfit", "The validity of this code has ended."),
    "wrong_customer": ("unfit", "This code was issued to another customer, and only its holder may use it."),
    "minimum_not_met": ("unfit", "The order is below this offer's minimum amount."),
    "not_applicable": ("unfit", "Nothing in this order is covered by the offer."),
    "revoked": ("unfit", "This code was withdrawn."),
    "idempotency_mismatch": ("unfit", "This Idempotency-Key was used for another request. Use a new key."),
}
STATUS: dict[Kind, int] = {"conflict": 409, "unfit": 422}
"""Stored with the kept answer, so that a repeated request gets the same status years later."""


@dataclass(frozen=True)
class Refused:
    """One refusal: `reason` from the closed list."""

    reason: str

    @property
    def detail(self) -> str:
        """The sentence for people."""
        return REASONS[self.reason][1]

    @property
    def status(self) -> int:
        """409 when the stored state forbids it, 422 when code and order do not fit."""
        return STATUS[REASONS[self.reason][0]]
