"""Why may a code not be redeemed, in one word for programs and one sentence for people?

Owns the closed list of reasons, each with its kind (`conflict`: the stored state forbids it; `unfit`: code and order
do not fit), and the refusal as a value. A refusal is an expected outcome, never an exception.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["conflict", "unfit"]

REASONS: dict[str, tuple[Kind, str]] = {
    "already_redeemed": ("conflict", "This code has been used already."),
    "limit_reached": ("conflict", "This code or offer has been used, or is reserved, as often as it may be."),
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
GERMAN: dict[str, str] = {
    "already_redeemed": "Dieser Code wurde bereits eingelöst.",
    "limit_reached": "Dieser Code oder dieses Angebot ist so oft eingelöst oder reserviert, wie es möglich ist.",
    "budget_exhausted": "Der Rest des Budgets dieses Angebots reicht für den Rabatt nicht aus.",
    "order_cancelled": "Diese Bestellung wurde storniert; für sie kann kein Code mehr eingelöst werden.",
    "unknown_code": "Diesen Code gibt es nicht. Prüfen Sie ihn auf Tippfehler.",
    "not_yet_valid": "Dieser Code ist noch nicht gültig.",
    "expired": "Die Gültigkeit dieses Codes ist abgelaufen.",
    "wrong_customer": "Dieser Code gehört einer anderen Kundin oder einem anderen Kunden und gilt nur dort.",
    "minimum_not_met": "Die Bestellung liegt unter dem Mindestwert dieses Angebots.",
    "not_applicable": "Für diese Bestellung gilt das Angebot nicht.",
    "revoked": "Dieser Code wurde zurückgezogen.",
    "idempotency_mismatch": "Dieser Idempotency-Key gehört zu einer anderen Anfrage. Verwenden Sie einen neuen.",
}
STATUS: dict[Kind, int] = {"conflict": 409, "unfit": 422}
"""Stored with the kept answer, so that a repeated request gets the same status years later."""


@dataclass(frozen=True)
class Refused:
    """One refusal: `reason` from the closed list."""

    reason: str

    @property
    def detail(self) -> str:
        """The sentence for people, in English."""
        return refusal_words(self.reason, "en")

    @property
    def status(self) -> int:
        """409 when the stored state forbids it, 422 when code and order do not fit."""
        return STATUS[REASONS[self.reason][0]]


def refusal_words(reason: str, language: str) -> str:
    """The sentence for people who meet this refusal, in German or else English."""
    return GERMAN[reason] if language[:2].lower() == "de" else REASONS[reason][1]
