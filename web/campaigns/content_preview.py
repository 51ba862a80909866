"""What would one invented person read?

Owns the sample person of previews and the filled e-mail, letter and call script. Nothing here is stored or sent.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from core.errors import WinbackError
from delivery.channels.letter import DrawnLetter, Letter, code_link, draw_letter
from delivery.channels.postal import PostalAddress
from delivery.content import CompiledContent
from delivery.personal import FilledEmail, fill, fill_call_script, fill_letter

SAMPLE_CODE = "7KQM-4T2X-9HBD8"
_SAMPLE_TERMS = ("For goods from: furniture. For orders of €150 or more, reckoned before this discount."
                 " Valid for 14 days. Each code can be used once.")


def sample_person(*, now: datetime) -> dict[str, Any]:
    """An invented customer with every variable that a template may name."""
    return {
        "customer": {"salutation": "Ms", "first_name": "Hannelore", "last_name": "Brandes", "company": None,
                     "street": "Lindenweg 12", "postal_code": "23552", "city": "Lübeck", "country": "DE",
                     "attributes": {}},
        "code": SAMPLE_CODE, "code_valid_until": _day(now + timedelta(days=14)),
        "offer": {"name": "Ten percent", "text": "10 % off furniture from €150", "terms": _SAMPLE_TERMS},
        "campaign": {"name": "Furniture win-back"},
        "shop": {"name": "The shop", "address": "Am Markt 1, 23552 Lübeck", "url": "https://shop.example"},
        "unsubscribe_url": "https://shop.example/unsubscribe", "preferences_url": "https://shop.example/preferences",
        "links": {},
    }


def _day(at: datetime) -> date:
    return at.date()


@dataclass(frozen=True)
class Preview:
    """What the sample person would get; `trouble` says what cannot be filled."""

    mail: FilledEmail | None = None
    letter: str = ""
    call_script: str = ""
    trouble: str | None = None


def preview(compiled: CompiledContent, *, now: datetime) -> Preview:
    """Fill every part a valid content has."""
    if not compiled.valid:
        return Preview()
    person = sample_person(now=now)
    try:
        return Preview(
            fill(compiled, person) if compiled.html else None,
            fill_letter(compiled, person) if compiled.letter else "",
            fill_call_script(compiled, person) if compiled.call_script else "",
        )
    except WinbackError as error:
        return Preview(trouble=str(error))


def drawn_letter(compiled: CompiledContent, *, now: datetime) -> DrawnLetter:
    """The letter as it would be printed, to the sample person."""
    person = sample_person(now=now)
    customer, shop = person["customer"], person["shop"]
    body = fill_letter(compiled, person)
    shows_code = "code" in compiled.variables
    return draw_letter(
        Letter(
            sender_name=shop["name"], sender_lines=("Am Markt 1", "23552 Lübeck"),
            to=PostalAddress(f"{customer['first_name']} {customer['last_name']}", customer["street"],
                             customer["postal_code"], customer["city"], customer["country"]),
            subject=_subject(compiled, person), body=body, code=SAMPLE_CODE if shows_code else "",
            code_url=code_link(shop["url"], SAMPLE_CODE) if shows_code else "", language=compiled.language,
        ),
        now=now,
    )


def _subject(compiled: CompiledContent, person: dict[str, Any]) -> str:
    return fill(compiled, person).subject if compiled.html else ""
