"""What may a call agent do with a code on behalf of somebody on the phone?

Owns redeeming for phone and letter orders and giving an expired code more days, both limited and counted apart. The
decision is the same as a till's: an agent passes no limit. The promise: every renewal has an agent and a reason.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, update
from sqlalchemy.orm import Session

from core.codes import canonical
from core.errors import Conflict, Invalid, NotFound
from coupons.models import Code, CodeRenewal, Redemption
from coupons.till.redeeming import redeem
from coupons.till.requests import Answer, RedemptionRequest

DAY = timedelta(days=1)
USES_PER_DAY = 100
"""Redemptions of one agent within 24 hours."""
RENEWALS_PER_DAY = 20
"""Renewals of one agent within 24 hours."""
RENEWALS_PER_CODE = 1
LONGEST_RENEWAL_DAYS = 14


@dataclass(frozen=True)
class DeskWork:
    """What agents did within the past 30 days: redemptions with their discounts in cents, renewals."""

    redemptions: int
    discount_cents: int
    renewals: int


def redeem_at_desk(
    connection: Connection, request: RedemptionRequest, *, agent: str, key: str, now: datetime
) -> Answer:
    """Redeem for an order that came by phone or letter; call it as a job of `reserving.deciding`.

    Raises Conflict when this agent has redeemed as often as one may in a day.
    """
    done = connection.execute(select(func.count()).select_from(Redemption).where(
        Redemption.agent == agent, Redemption.redeemed_at > now - DAY)).scalar_one()
    if done >= USES_PER_DAY:
        raise Conflict(f"You have redeemed {done} codes within a day, which is the limit. Ask a marketer to go on.")
    answer = redeem(connection, request, client=f"agent:{agent}"[:64], key=key, now=now)
    if answer.status == 201:
        connection.execute(update(Redemption).where(Redemption.public_id == answer.body["id"])
                           .values(told_by="agent", agent=agent[:200]))
    return answer


def renew_code(session: Session, text: str, *, agent: str, reason: str, days: int, now: datetime) -> datetime:
    """Give an expired, unused code more days from now and return its new end.

    Raises NotFound, Invalid, and Conflict when the code is not expired or a limit of renewing is reached.
    """
    why = reason.strip()
    if len(why) < 3 or len(why) > 300 or not why.isprintable():
        raise Invalid("Write in 3 to 300 characters why.", place="reason")
    if not 1 <= days <= LONGEST_RENEWAL_DAYS:
        raise Invalid(f"Give it 1 to {LONGEST_RENEWAL_DAYS} days.", place="days")
    code = session.scalars(select(Code).where(Code.code == canonical(text)).with_for_update()).one_or_none()
    if code is None:
        raise NotFound("There is no such code. Check it for typing mistakes.")
    if code.state != "issued" or code.valid_until is None or code.valid_until > now:
        raise Conflict("Only a code whose days are over, and that was neither used nor withdrawn, gets more days.")
    renewed = select(func.count()).select_from(CodeRenewal)
    if (session.scalar(renewed.where(CodeRenewal.code_id == code.id)) or 0) >= RENEWALS_PER_CODE:
        raise Conflict("This code was given more days already. A marketer can give the person a new one.")
    if (session.scalar(renewed.where(CodeRenewal.agent == agent, CodeRenewal.at > now - DAY)) or 0) >= RENEWALS_PER_DAY:
        raise Conflict(f"You have renewed {RENEWALS_PER_DAY} codes within a day, which is the limit.")
    until = now + timedelta(days=days)
    session.add(CodeRenewal(code_id=code.id, at=now, agent=agent[:200], reason=why, ended_at=code.valid_until,
                            valid_until=until))
    code.valid_until = until
    session.flush()
    return until


def desk_work(session: Session, *, now: datetime) -> DeskWork:
    """What agents did, told apart from tills."""
    since = now - timedelta(days=30)
    used, cents = session.execute(
        select(func.count(), func.coalesce(func.sum(Redemption.discount_cents - Redemption.rolled_back_cents), 0))
        .where(Redemption.told_by == "agent", Redemption.redeemed_at > since)).one()
    renewals = session.scalar(select(func.count()).select_from(CodeRenewal).where(CodeRenewal.at > since)) or 0
    return DeskWork(used, int(cents), renewals)


def latest_renewals(session: Session, *, limit: int = 20) -> list[tuple[CodeRenewal, str]]:
    """The newest renewals with their codes."""
    rows = session.execute(select(CodeRenewal, Code.code).join(Code, Code.id == CodeRenewal.code_id)
                           .order_by(CodeRenewal.id.desc()).limit(limit))
    return [(row[0], row[1]) for row in rows]
