"""A till in plain Python that keeps lists and counts them anew each time: what the real one has to agree with.

It knows nothing of counters, locks or statements. Uses, holds and offers are the only things kept; every answer is
reckoned from all of them. One shop, goods without lines, discounts in percent or fixed cents, one currency.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

Told = tuple[int, str | None, int]
"""Status, reason of a refusal, cents of the discount."""


@dataclass
class NaiveOffer:
    """One offer; `limits` are per customer, in all, per day, and the budget in cents."""

    percent: int | None = None
    amount_cents: int | None = None
    minimum_cents: int = 0
    combines: bool = True
    first_order_only: bool = False
    per_customer: int | None = None
    total: int | None = None
    per_day: int | None = None
    budget_cents: int | None = None

    def discount(self, goods_cents: int) -> int:
        """Half a cent goes up; never more than the goods."""
        if self.percent is not None:
            return (goods_cents * self.percent * 2 + 100) // 200
        return min(self.amount_cents or 0, goods_cents)


@dataclass
class NaiveCode:
    """One code; `holder` None: anybody's."""

    offer: NaiveOffer
    holder: str | None
    uses: int
    until: datetime
    revoked: bool = False


@dataclass
class NaiveHold:
    """One use held for an order."""

    code: NaiveCode
    order: str
    who: str | None
    cents: int
    at: datetime
    until: datetime
    open: bool = True


@dataclass
class NaiveUse:
    """One redemption; `person` ordered, `who` is counted."""

    code: NaiveCode
    order: str
    who: str | None
    person: str | None
    given_cents: int
    at: datetime
    back_cents: int = 0
    live: bool = True


@dataclass
class NaiveTill:
    """Everything that ever happened."""

    uses: list[NaiveUse] = field(default_factory=list)
    holds: list[NaiveHold] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    now: datetime = datetime.min

    def used(self, code: NaiveCode) -> int:
        """Live redemptions of a code."""
        return sum(use.live for use in self.uses if use.code is code)

    def held(self) -> list[NaiveHold]:
        """Holds that still count."""
        return [hold for hold in self.holds if hold.open and hold.until > self.now]

    def hold_of(self, code: NaiveCode, order: str) -> NaiveHold | None:
        """What this order holds of this code."""
        return next((hold for hold in self.held() if hold.code is code and hold.order == order), None)

    def use_of(self, code: NaiveCode, order: str) -> NaiveUse | None:
        """The redemption of this order and code, standing or not."""
        return next((use for use in self.uses if use.code is code and use.order == order), None)

    def redeem(self, code: NaiveCode, order: str, goods_cents: int, named: str | None) -> Told:
        """Redeem, or say why not."""
        known = self.use_of(code, order)
        if known is not None:
            return 200, None, known.given_cents
        hold = self.hold_of(code, order)
        reason, cents = self._judge(code, order, goods_cents, named, hold, self.now if hold is None else hold.at)
        if reason is not None:
            return _status(reason), reason, 0
        if hold is not None:
            hold.open = False
        self.uses.append(NaiveUse(code, order, code.holder or named, named or code.holder, cents, self.now))
        return 201, None, cents

    def reserve(self, code: NaiveCode, order: str, goods_cents: int, named: str | None, seconds: int) -> Told:
        """Hold one use, or say why not."""
        if self.use_of(code, order) is not None:
            return 409, "already_redeemed", 0
        hold = self.hold_of(code, order)
        reason, cents = self._judge(code, order, goods_cents, named, hold, self.now)
        if reason is not None:
            return _status(reason), reason, 0
        if hold is not None:
            hold.open = False
        self.holds.append(NaiveHold(code, order, code.holder or named, cents, self.now,
                                    self.now + timedelta(seconds=seconds)))
        return 201 if hold is None else 200, None, cents

    def foresee(self, code: NaiveCode, order: str, goods_cents: int, named: str | None) -> tuple[bool, str | None, int]:
        """Valid, reason and cents, changing nothing."""
        known = self.use_of(code, order)
        if known is not None:
            return known.live, None, known.given_cents
        hold = self.hold_of(code, order)
        reason, cents = self._judge(code, order, goods_cents, named, hold, self.now if hold is None else hold.at)
        return reason is None, reason, cents if reason is None else 0

    def take_back(self, use: NaiveUse, cents: int | None) -> bool:
        """Take back all or a part; False when so much is not left."""
        left = use.given_cents - use.back_cents
        if not use.live:
            return True
        if cents is not None and cents > left:
            return False
        use.back_cents += left if cents is None else cents
        use.live = use.back_cents < use.given_cents
        return True

    def cancel(self, order: str) -> int:
        """The order is off; how many redemptions stood."""
        self.cancelled.add(order)
        standing = [use for use in self.uses if use.order == order and use.live]
        for use in standing:
            self.take_back(use, None)
        return len(standing)

    def revoke(self, code: NaiveCode) -> int:
        """Withdraw a code that has uses left; 1 when it was."""
        if code.revoked or self.used(code) >= code.uses:
            return 0
        code.revoked = True
        return 1

    def counted(self, offer: NaiveOffer) -> tuple[int, int]:
        """Uses and cents of an offer, redeemed and held."""
        return self._counted(offer, None, None)

    def may_limit(self, offer: NaiveOffer, total: int | None, budget_cents: int | None) -> bool:
        """Whether what was used and is held fits these limits."""
        uses, cents = self.counted(offer)
        return (total is None or uses <= total) and (budget_cents is None or cents <= budget_cents)

    def _judge(self, code: NaiveCode, order: str, goods_cents: int, named: str | None, own: NaiveHold | None,
               good_at: datetime) -> tuple[str | None, int]:
        offer = code.offer
        against = self._against_code(code, order, own, good_at)
        if against is not None:
            return against, 0
        others: list[tuple[NaiveOffer, int]] = [
            *((use.code.offer, use.given_cents - use.back_cents) for use in self.uses
              if use.order == order and use.live and use.code is not code),
            *((hold.code.offer, hold.cents) for hold in self.held() if hold.order == order and hold.code is not code)]
        person = named or code.holder
        if offer.first_order_only and (person is None or any(
                use.live and use.person == person and use.order != order for use in self.uses)):
            return "not_applicable", 0
        if others and not all(offer.combines and other.combines for other, _cents in others):
            return "not_applicable", 0
        if goods_cents < offer.minimum_cents:
            return "minimum_not_met", 0
        left = goods_cents - sum(cents for _offer, cents in others)
        if left <= 0:
            return "not_applicable", 0
        cents = min(offer.discount(goods_cents), left)
        return self._against_limits(offer, code.holder or named, cents, own), cents

    def _against_code(self, code: NaiveCode, order: str, own: NaiveHold | None, good_at: datetime) -> str | None:
        if order in self.cancelled:
            return "order_cancelled"
        if code.revoked:
            return "revoked"
        used = self.used(code)
        if used >= code.uses:
            return "already_redeemed" if code.uses == 1 else "limit_reached"
        if good_at >= code.until:
            return "expired"
        if own is None and used + sum(hold.code is code for hold in self.held()) >= code.uses:
            return "limit_reached"
        return None

    def _against_limits(self, offer: NaiveOffer, who: str | None, cents: int, own: NaiveHold | None) -> str | None:
        of_customer = self._counted(offer, own, lambda person, _day: person == who)[0] if who is not None else 0
        of_day = self._counted(offer, own, lambda _who, day: day == self.now.date())[0]
        uses, given = self._counted(offer, own, None)
        if offer.per_customer is not None and of_customer >= offer.per_customer:
            return "limit_reached"
        if offer.per_day is not None and of_day >= offer.per_day:
            return "limit_reached"
        if offer.total is not None and uses >= offer.total:
            return "limit_reached"
        return "budget_exhausted" if offer.budget_cents is not None and given + cents > offer.budget_cents else None

    def _counted(self, offer: NaiveOffer, own: NaiveHold | None,
                 which: Callable[[str | None, date], bool] | None) -> tuple[int, int]:
        """Uses and cents that count for an offer beside the order's own hold, all or those chosen by who and day."""
        taken = [*((use.who, use.at.date(), use.given_cents - use.back_cents) for use in self.uses
                   if use.live and use.code.offer is offer),
                 *((hold.who, hold.at.date(), hold.cents) for hold in self.held()
                   if hold.code.offer is offer and hold is not own)]
        chosen = [cents for who, day, cents in taken if which is None or which(who, day)]
        return len(chosen), sum(chosen)


def _status(reason: str) -> int:
    conflicts = ("already_redeemed", "limit_reached", "budget_exhausted", "order_cancelled")
    return 409 if reason in conflicts else 422
