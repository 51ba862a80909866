"""What does a line of the rule need to know besides itself, read for this request?

Owns filling `Around` (web/builder/lines.py) from the database. Stores, properties and scores are read only when a line
asks for them, once per request.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from segments.choosing.choices import attribute_types
from segments.choosing.surroundings import event_properties, score_names, store_names, usual_currency
from segments.saving.saved import list_segments
from web.builder.lines import Around
from web.builder.places import SCORES
from web.frame.presentation import zone
from web.requests.transactions import reading, request_now
from web.wording import formatting


def around_of(own_key: str) -> Around:
    """What the lines of a draft need to know; `own_key` is the segment under edit."""
    today = formatting.local_date(request_now(), zone())
    with reading() as session:
        segments = list_segments(session, archived=True)
        names = {segment.key: segment.name for segment in segments}
        archived = frozenset(segment.key for segment in segments if segment.archived_at is not None)
        return Around(today, names, attribute_types(session), own_key, archived, usual_currency(session) or "EUR",
                      cache(_stores), cache(_properties), cache(_scores))


def _stores() -> Mapping[str, str]:
    with reading() as session:
        return store_names(session)


def _properties(event: str) -> Sequence[str]:
    with reading() as session:
        return event_properties(session, event)


def _scores() -> Mapping[str, str]:
    """The scores we know by name, then the shop's own."""
    with reading() as session:
        return {**SCORES, **{name: name for name in score_names(session) if name not in SCORES}}
