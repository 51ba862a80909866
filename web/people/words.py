"""How do pages speak of a customer?

Owns pronouns, channel words and icons, and the words of consents and contacts. Pure. The promise: whoever's salutation
does not say it is called by no pronoun but they.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from customers.models import Customer

CHANNEL_WORDS: Mapping[str, str] = {"email": "E-mail", "letter": "Letter", "phone": "Phone", "sms": "SMS",
                                    "push": "Push", "ads": "Ads"}
CHANNEL_ICONS: Mapping[str, str] = {"email": "mail", "letter": "mailbox", "phone": "phone", "sms": "device-mobile",
                                    "push": "bell", "ads": "speakerphone"}
CONSENT_VERBS: Mapping[str, str] = {"granted": "Said yes", "denied": "Said no", "withdrawn": "Took back the yes"}
BASIS_WORDS: Mapping[str, str] = {
    "consent": "consent", "existing_customer": "existing customer", "legitimate_interest": "legitimate interest",
    "objection": "objection",
}
CONTACT_WORDS: Mapping[str, str] = {
    "call": "Call", "phone": "Call", "letter": "Letter", "email": "E-mail", "mail": "E-mail", "chat": "Chat",
    "visit": "Visit", "complaint": "Complaint", "service_request": "Service request", "survey": "Survey",
}
CONTACT_ICONS: Mapping[str, str] = {
    "call": "phone", "phone": "phone", "letter": "mailbox", "email": "mail", "mail": "mail", "chat": "message",
    "visit": "building-store", "complaint": "message-report", "service_request": "help-circle", "survey": "list",
}
_SHE = ("frau", "mrs", "ms", "miss", "madame", "mme", "signora", "señora", "ms.", "mrs.")
_HE = ("herr", "mr", "mr.", "monsieur", "m.", "signor", "señor")


@dataclass(frozen=True)
class Pronouns:
    """she / her / her, he / him / his, they / them / their; `was`: was or were."""

    they: str
    them: str
    their: str
    was: str = "was"

    @property
    def They(self) -> str:
        """The word at the start of a sentence."""
        return self.they.capitalize()


def pronouns(customer: Customer) -> Pronouns:
    """How sentences call this person, by the salutation the shop gave."""
    words = (customer.salutation or "").casefold().split()
    if any(word in _SHE for word in words):
        return Pronouns("she", "her", "her")
    if any(word in _HE for word in words):
        return Pronouns("he", "him", "his")
    return Pronouns("they", "them", "their", "were")


def initials(name: str) -> str:
    """One or two letters for the round sign."""
    letters = [word[0] for word in name.split() if word[0].isalpha()]
    return "".join(letters[:1] + letters[-1:] if len(letters) > 1 else letters).upper()
