"""What is odd about a redemption that happened all the same?

Owns the closed list of flags, each with its sentence. A decision refuses; a fact is recorded and flagged, because the
order exists whatever we think of it.
"""

from coupons.till.deciding import Named, Situation

FLAGS: dict[str, str] = {
    "over_limit": "It goes beyond a limit of the code, the customer or the offer; it is recorded and counts for none.",
    "expired": "The code's validity had ended.",
    "not_yet_valid": "The code was not valid yet.",
    "revoked": "The code had been withdrawn.",
    "unknown_code": "We know no such code; it may be one the shop made itself.",
    "wrong_customer": "Somebody else used it than the person it was issued to.",
    "discount_differs": "The shop took off another amount than was decided here.",
    "refund_capped": "More was refunded than the discount was worth; what was left of it is taken back.",
}


def joined(flags: list[str]) -> str:
    """Flags as they are stored: each once, in the order of the list."""
    return " ".join(flag for flag in FLAGS if flag in flags)


def holder_flag(situation: Situation, named: Named) -> list[str]:
    """`wrong_customer` when the offer looks at the holder and the shop names somebody else."""
    watched = situation.offer.holder_rule != "off" and situation.holder_id is not None and bool(named)
    return ["wrong_customer"] if watched and all(each != situation.holder_id for each, _ in named) else []
