"""Has something come up meanwhile that speaks against a message about to go?

Owns the second asking of a campaign's exclusions, when its messages are claimed: an order, a complaint or a return that
came after somebody entered keeps the next message in the house; and of the code a message carries: one that was stopped
meanwhile would be refused at the till. It is handed to the sender as a value, since delivery knows nothing of rules and
codes. Exclusions matter for advertising only; who is held back stays in the journey.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from campaigns.excluding import exclusions, left_out
from campaigns.models import Campaign
from core.arrays import in_ids
from coupons.codes.stopping import withdrawn
from delivery.objections import Going
from journeys.graphs.reading import parse_graph
from journeys.models import Enrolment, Journey, Version

CODE_STOPPED = "its code was stopped"


def objections(connection: Connection, messages: Sequence[Going], *, now: datetime) -> Mapping[int, str]:
    """Message id -> why it may not go: its code was stopped, or its campaign leaves the person out today."""
    asked: dict[str, list[Going]] = {}
    for message in messages:
        if message.message_class == "marketing" and message.campaign is not None:
            asked.setdefault(message.campaign, []).append(message)
    stopped = withdrawn(connection, [message.code for message in messages if message.code is not None])
    found = {message.id: CODE_STOPPED for message in messages if message.code in stopped}
    with Session(connection) as session:
        for campaign in session.scalars(select(Campaign).where(Campaign.key.in_(sorted(asked))).order_by(Campaign.id)):
            mine = asked[campaign.key]
            careful = _with_standing(connection, campaign, mine)
            for standing in (True, False):
                group = [message for message in mine if (message.enrolment_ref in careful) == standing]
                reasons = [each for each in exclusions(session, campaign, standing=standing) if each.asked_again]
                out = left_out(connection, [message.customer_id for message in group], reasons, now=now)
                found |= {message.id: out[message.customer_id] for message in group
                          if message.customer_id in out and message.id not in found}
    return found


def _with_standing(connection: Connection, campaign: Campaign, messages: Sequence[Going]) -> set[int | None]:
    """The enrolments of these messages that walk by a version which applies the house list."""
    versions = [row[0] for row in connection.execute(
        select(Version.id, Version.graph).join(Journey, Journey.id == Version.journey_id)
        .where(Journey.campaign_id == campaign.id)) if parse_graph(row[1]).standing]
    if not versions:
        return set()
    refs = [message.enrolment_ref for message in messages if message.enrolment_ref is not None]
    return set(connection.scalars(
        select(Enrolment.id).where(in_ids(Enrolment.id, refs), in_ids(Enrolment.version_id, versions))))
