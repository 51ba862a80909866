"""How does the whole house show, hand out and forget one person?

Owns putting the rooms' parts together, for the pages and the command line alike. The promise: what a room holds about a
person is in the export, and erased with them; a room that is left out here would break it, so a test counts the rooms.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from campaigns.person import held_history
from core.errors import NotFound
from core.settings import Settings
from coupons.codes.person import erase_kept_answers, held_codes
from customers.forgetting import export_customer, forget_customer
from customers.people import find_customer
from delivery.channels.memory import erase as erase_sink
from delivery.hook_outbox import erase_calls, held_calls
from delivery.person import erase_messages, held_messages, ledger_ids
from delivery.print_runs import erase_letters
from journeys.telling.person import erase_errors, held_passages
from segments.membership.person import erase_listings, held_segments
from web.shops.inbox import erase_bodies, held_deliveries

SECTIONS: dict[str, Callable[[Session, int], Any]] = {
    "messages": held_messages, "coupons": held_codes, "journeys": held_passages, "past_campaigns": held_history,
    "segments": held_segments, "shop_messages": held_deliveries,
    "told_to_programs": held_calls,
}
ERASERS = (erase_messages, erase_kept_answers, erase_errors, erase_listings, erase_bodies, erase_calls)

STAYS = (
    ("Erased", "names, addresses, birthday, attributes, events, relations, scores, the words of contacts, consents"
               " and calls, letters on file, places on lists"),
    ("Stays, without a name", "orders, codes and what was sent when: sums and reports stay right"),
    ("Stays blocked", "the addresses, as a keyed hash: nobody writes there, and no import brings the person back"),
    ("Can be undone", "no"),
)
"""What forgetting does, as it is told before and after."""


def everything_held(session: Session, external_id: str) -> dict[str, Any]:
    """All that is held about one person, as JSON values. Raises NotFound."""
    return export_customer(session, external_id, sections=SECTIONS)


def forget(session: Session, external_id: str, *, settings: Settings, now: datetime) -> None:
    """Erase one person from every room and from the files of the home. Raises NotFound, Invalid."""
    try:
        ids = ledger_ids(session, find_customer(session, external_id).id)
    except NotFound:
        ids = {}
    forget_customer(session, external_id, secret_key=settings.secret_key, now=now, erasers=ERASERS)
    erase_files(settings.home, ids)


def erase_files(home: Path, ids: dict[int, str]) -> None:
    """Take this person's letters, and mails kept for a demo, out of the home; `ids`: ledger id -> public id."""
    erase_letters(home, set(ids.values()))
    erase_sink(home / "outside.db", list(ids))
