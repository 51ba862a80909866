"""What came of the demo, in numbers?

Owns `out.json`: everything in it is counted from the tables or taken from the report; nothing is written down by hand
but the planted truth.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from coupons.models import Code, Redemption, Refusal
from delivery.models import Message
from reporting.reports import campaign_report
from segments.engines.members import count
from segments.language.rules import parse_rule
from winback.demo.plot import Plot

MESSAGE_STATES = ("sent", "withheld", "suppressed", "failed", "uncertain")


def numbers(session: Session, plot: Plot, *, now: datetime) -> dict[str, Any]:
    """The demo's numbers as of `now`, ready for JSON."""
    report = campaign_report(session, plot.campaign, now=now).to_dict()
    states = _counted(session, select(Message.state, func.count()).group_by(Message.state))
    return {
        "data": plot.data,
        "segment": {"key": plot.segment, "as_of": plot.starts_at.isoformat(),
                    "size": count(session, parse_rule(plot.rule), as_of=plot.starts_at)},
        "history": {
            "campaigns": _one(session, select(func.count()).where(Campaign.state == "history")),
            "redemptions": _one(session, select(func.count()).where(Redemption.history.is_(True))),
        },
        "messages": {
            **{state: states.get(state, 0) for state in MESSAGE_STATES},
            "by_state": states,
            "by_channel": _counted(session, select(Message.channel, func.count()).where(Message.state == "sent")
                                   .group_by(Message.channel)),
        },
        "codes": {
            "issued": _one(session, select(func.count(Code.id))),
            "live": _one(session, select(func.count(Code.id)).where(
                Code.state == "issued", Code.valid_from <= now, Code.valid_until > now)),
        },
        "redemptions": {
            "accepted": _one(session, select(func.count()).where(Redemption.history.is_(False))),
            "refused": _one(session, select(func.count(Refusal.id))),
            "refused_by_reason": _counted(session, select(Refusal.reason, func.count()).group_by(Refusal.reason)),
        },
        "planted": plot.truth.to_dict(),
        "now": now.isoformat(),
        "campaign": plot.campaign,
        "report": report,
        **{name: report[name] for name in ("arms", "holdout", "effect", "srm")},
    }


def _one(session: Session, statement: Any) -> int:
    found: int = session.execute(statement).scalar_one()
    return found


def _counted(session: Session, statement: Any) -> dict[str, int]:
    return {str(name): int(number) for name, number in session.execute(statement)}
