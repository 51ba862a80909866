"""When does a message reach the person?

Owns the expected arrival per channel. Waits, reminders, code validity and response windows count from it, so that a
letter never arrives with half a code. Pure; planning (before anything is sent) and the ledger use the same function.
"""

from datetime import datetime, timedelta

LETTER_TRANSIT_DAYS = 2
"""Default transit of a letter, in working days after posting; Monday to Saturday are working days."""

_SUNDAY = 6


def expected_arrival(channel: str, sent_at: datetime, *, lead_days: int = 0) -> datetime:
    """The instant at which something sent at `sent_at` is expected to reach the person.

    `lead_days` are the working days that the print shop needs before it posts a letter.
    """
    if channel != "letter":
        return sent_at
    arrival = sent_at
    days = LETTER_TRANSIT_DAYS + lead_days
    while days:
        arrival += timedelta(days=1)
        if arrival.weekday() != _SUNDAY:
            days -= 1
    return arrival
