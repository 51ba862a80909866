"""What does an offer say, without reading its forty columns for every use?

Owns the memory of offers' terms and limits in this process, one per database, by the instant at which the offer was
last saved. Every use reads that instant together with the code, under a lock that keeps the offer from being saved
meanwhile, so what is remembered is what is stored.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, bindparam, select

from coupons.models import Offer
from coupons.offers.limits import Limits, limits_of
from coupons.offers.terms import Terms, terms_of

_MOST = 2000
_READ = select(Offer).where(Offer.id == bindparam("offer"))


@dataclass(frozen=True)
class OfferFacts:
    """One saved state of an offer."""

    key: str
    name: str
    terms: Terms
    limits: Limits
    holder_rule: str


_kept: "WeakKeyDictionary[Any, OrderedDict[tuple[int, int], OfferFacts]]" = WeakKeyDictionary()


def offer_facts(connection: Connection, offer_id: int, version_us: int) -> OfferFacts:
    """The offer as it was saved at `version_us`, the `updated_at` just read in this transaction."""
    kept = _kept.setdefault(connection.engine.pool, OrderedDict())
    found = kept.get((offer_id, version_us))
    if found is None:
        row = connection.execute(_READ, {"offer": offer_id}).one()
        found = OfferFacts(row.key, row.name, terms_of(row), limits_of(row), row.holder)
        kept[offer_id, version_us] = found
        while len(kept) > _MOST:
            kept.popitem(last=False)
    return found
