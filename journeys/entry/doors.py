"""Since when is a journey's door open, when version follows version?

Owns the one rule: publishing a version that asks for the same event, or rings by the same schedule, shuts no door. What
came before it and was not looked at yet lets people in as if nothing had been published; another door opens with the
version that brings it.
"""

from collections.abc import Mapping

from journeys.graphs.plans import Plan


def same_door(plans: Mapping[int, Plan], plan: Plan) -> list[Plan]:
    """The unbroken row of versions up to this one with its event or schedule, oldest first; `plans` holds the
    journey's versions, rising."""
    row = [plan]
    for other in sorted((each for each in plans.values() if each.journey_id == plan.journey_id
                         and each.version_id < plan.version_id), key=lambda each: -each.version_id):
        if _door(other) != _door(plan):
            break
        row.insert(0, other)
    return row


def _door(plan: Plan) -> tuple[object, ...]:
    entry = plan.graph.entry
    return plan.graph.segment, entry.event, entry.where, entry.schedule
