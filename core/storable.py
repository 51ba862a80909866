"""Which texts can every database store, and where in a value from outside stands one that none can?

Owns that one question. PostgreSQL knows no NUL, and half of a surrogate pair is no character at all.
"""

from collections.abc import Mapping


def is_storable(text: str) -> bool:
    """Whether every database can store this text: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and (text.isascii() or not any("\ud800" <= mark <= "\udfff" for mark in text))


def place_not_storable(value: object, place: str = "") -> str | None:
    """The path of the first text in a JSON value that cannot be stored, such as `steps.mail.name`; None: there is none.

    A name that cannot be stored is told by the object it stands in.
    """
    if isinstance(value, str):
        return None if is_storable(value) else place
    if isinstance(value, Mapping):
        for name, part in value.items():
            if not is_storable(str(name)):
                return place
            found = place_not_storable(part, f"{place}.{name}" if place else str(name))
            if found is not None:
                return found
    elif isinstance(value, list):
        for number, part in enumerate(value):
            found = place_not_storable(part, f"{place}[{number}]")
            if found is not None:
                return found
    return None
