"""May an offer go, and why not?

Owns deletion. The promise: an offer of which a code was ever made or told, or that a journey names, stays, and the
refusal says which; uses from higher rooms are passed in by the doors. What was used can be switched off instead.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.errors import Conflict, NotFound
from coupons.models import Batch, Code, LimitUse, Offer, Redemption
from coupons.offers.offers import hold_offer

UsesAbove = Callable[[Session, str], Sequence[str]]
"""What of the higher rooms names the offer with this key, each as people read it: the journey “Spring”."""


def nothing_above(_session: Session, _key: str) -> Sequence[str]:
    """Nobody above names it."""
    return ()


def why_kept(session: Session, offer: Offer, *, above: UsesAbove = nothing_above) -> str | None:
    """Why this offer cannot be deleted, in one or two sentences; None: it was never used."""
    counts = [
        (session.scalar(select(func.count()).select_from(table).where(table.offer_id == offer.id)) or 0, one, many)
        for table, one, many in ((Code, "code", "codes"), (Redemption, "redemption", "redemptions"),
                                 (Batch, "pool", "pools"))]
    there = [f"{count:,} {one if count == 1 else many}" for count, one, many in counts if count]
    if there:
        return f"It has {' and '.join(there)}. Switch it off instead: then it issues no more codes."
    naming = above(session, offer.key)
    return f"It is named by {' and '.join(naming)}. Choose another offer there first." if naming else None


def delete_offer(session: Session, key: str, *, above: UsesAbove = nothing_above) -> None:
    """Delete an offer that was never used. Raises NotFound, and Conflict with what keeps it."""
    offer = hold_offer(session, key)
    if offer is None:
        raise NotFound(f"There is no offer named {key}.")
    kept = why_kept(session, offer, above=above)
    if kept is not None:
        raise Conflict(f"“{offer.name}” is not deleted. {kept}")
    session.execute(delete(LimitUse).where(LimitUse.offer_id == offer.id))
    session.delete(offer)
    session.flush()
