"""What exactly goes out when a campaign is published?

Owns the list of parts that an approval is for: the campaign, its journey's draft, and the contents, offers,
receivers and segments that the draft names, each with its version. Whatever of them changes, the approval no longer
holds.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.approving import OFF
from campaigns.models import Campaign
from coupons.models import Offer
from delivery.hook_models import HookReceiver
from delivery.models import Content
from journeys.editing.checking_draft import rules_of
from journeys.graphs.graph import Call, Give, Graph, Send, Webhook
from journeys.graphs.reading import read_graph
from journeys.models import Journey
from segments.language.conditions import InSegment
from segments.models import Segment


def parts_of(session: Session, campaign: Campaign) -> dict[str, str]:
    """Thing -> version, of everything that would go out: "campaign:spring" -> "3", "offer:ten" -> an instant."""
    parts = {f"campaign:{campaign.key}": str(campaign.version)}
    parts |= {f"{OFF}{key}": "off" for key in campaign.standing_off}
    journey = session.scalars(select(Journey).where(Journey.campaign_id == campaign.id)).one_or_none()
    segments = set(campaign.not_to)
    if journey is not None:
        parts[f"journey:{journey.key}"] = str(journey.draft_version)
        graph = read_graph(journey.draft).graph
        if graph is not None:
            parts |= _named(session, graph)
            segments |= {graph.segment} | {node.key for rule in rules_of(graph).values() for node in rule.walk()
                                           if isinstance(node, InSegment)}
    rows = session.execute(select(Segment.key, Segment.version).where(Segment.key.in_(sorted(segments))))
    return parts | {f"segment:{key}": str(version) for key, version in rows}


def _named(session: Session, graph: Graph) -> dict[str, str]:
    spoken = {step.content for step in graph.steps.values() if isinstance(step, Send | Call)}
    given = {step.offer for step in graph.steps.values() if isinstance(step, Send | Give | Call) and step.offer}
    contents = session.execute(select(Content.key, Content.revision)
                               .where(Content.key.in_(sorted(spoken))))
    offers = session.execute(select(Offer.key, Offer.updated_at)
                             .where(Offer.key.in_(sorted(given))))
    told = {step.receiver for step in graph.steps.values() if isinstance(step, Webhook)}
    receivers = session.execute(select(HookReceiver.key, HookReceiver.updated_at)
                                .where(HookReceiver.key.in_(sorted(told))))
    return ({f"content:{key}": str(revision) for key, revision in contents}
            | {f"offer:{key}": at.isoformat() for key, at in offers}
            | {f"receiver:{key}": at.isoformat() for key, at in receivers})
