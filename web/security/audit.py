"""Who changed what, and when?

Owns writing the audit trail. An entry is part of the transaction it describes: both are there, or neither.
"""

from datetime import datetime
from typing import Any

from flask import g, has_request_context
from sqlalchemy.orm import Session

from web.models import AuditEntry
from web.security.access import person


def record(session: Session, verb: str, thing: str, *, now: datetime, **detail: Any) -> AuditEntry:
    """Note that whoever asks did `verb` ("segment.saved") to `thing` ("segment:lapsed-furniture"). No secrets here."""
    user_id = key_id = None
    if has_request_context():
        caller = person()
        user_id = caller.id if caller else None
        key = g.get("api_key")
        key_id = key.id if key else None
    entry = AuditEntry(at=now, user_id=user_id, key_id=key_id, verb=verb, thing=thing, detail=detail)
    session.add(entry)
    session.flush()
    return entry
