"""How are conditions about the person said, chosen and read back?

Owns the sentences about a fact of the customer, consent, preferred channel, another segment and a random sample.
"""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from core.errors import Invalid
from segments.language.fields import ATTRIBUTES, CHANNELS, CONSENT_STATES, CUSTOMER_FIELDS
from web.builder.comparing import (
    Kind,
    date_words,
    number_words,
    operator_of,
    plain_number,
    read_test,
    test_parts,
    text_words,
    value_problem,
)
from web.builder.parts import Chip, Choice, Fields, Sentence, Text, Ticks, shown, texts_of
from web.wording.amounts import read_decimal

CHANNEL_WORDS = {"email": "e-mail", "letter": "letter", "phone": "phone", "sms": "SMS", "push": "push", "ads": "ads"}
_KINDS: dict[str, Kind] = {"number": "number", "boolean": "flag", "date": "date", "text": "text"}


def kind_of_field(name: str, attributes: Mapping[str, str]) -> Kind:
    """What kind of value a field holds; `attributes` are the further columns with their types."""
    if name.startswith(ATTRIBUTES):
        return _KINDS.get(attributes.get(name.removeprefix(ATTRIBUTES), ""), "text")
    known = CUSTOMER_FIELDS.get(name)
    return "text" if known is None or known.kind == "any" else known.kind


def customer(rule: dict[str, Any], *, today: date, attributes: Mapping[str, str]) -> Sentence:
    """"whose country is one of DE or AT"."""
    name = shown(rule.get("customer"))
    kind = kind_of_field(name, attributes)
    operator = operator_of(rule)
    value = rule.get(operator)
    if kind in ("date", "instant"):
        said = date_words(operator, value, today=today)
    elif kind == "number":
        said = text_words(operator, value) if operator in ("is_set", "is_not_set") else number_words(
            operator, value, plain_number)
    else:
        said = text_words(operator, value)
    fields = [(field.name, field.label) for field in CUSTOMER_FIELDS.values() if field.name != "household_id"]
    fields += [(f"{ATTRIBUTES}{key}", f"{key} (own column)") for key in sorted(attributes)]
    if name not in dict(fields):
        fields.append((name, name))
    known = CUSTOMER_FIELDS.get(name)
    label = known.label if known else name.removeprefix(ATTRIBUTES) or "…"
    unknown = None if known or name.startswith(ATTRIBUTES) else "Choose a field."
    return ("whose", Chip("field", label, (Choice("field", "Which fact", fields, name),), unknown),
            Chip("test", said, test_parts(rule, kind, known=True, source="customer", word=name),
                 value_problem(rule, kind)))


def read_customer(rule: dict[str, Any], fields: Fields, attributes: Mapping[str, str]) -> dict[str, Any]:
    """The condition as the form has it now; another kind of field begins with a comparison that fits it."""
    before = shown(rule.get("customer"))
    name = fields.one("field", before)
    if name not in CUSTOMER_FIELDS and not name.startswith(ATTRIBUTES):
        name = before
    kind = kind_of_field(name, attributes)
    if name != before:
        start: dict[Kind, dict[str, Any]] = {
            "text": {"in": []}, "number": {"at_least": 1}, "cents": {"at_least": 1}, "date": {"within_days": 365},
            "instant": {"within_days": 365}, "flag": {"is": True}}
        return {"customer": name, **start[kind]}
    return {"customer": name, **read_test(rule, kind, fields)}


_STATES = {"granted": "was granted", "denied": "was denied", "withdrawn": "was withdrawn"}


def consent(rule: dict[str, Any]) -> Sentence:
    """"whose consent to e-mail was granted"."""
    channel, operator = shown(rule.get("consent")), operator_of(rule)
    states = texts_of(rule.get(operator))
    asked = {"is_set": "was ever given or refused", "is_not_set": "was never asked for"}.get(operator)
    state = operator if asked else states[0] if operator == "is" and len(states) == 1 else ""
    said = asked or _STATES.get(state) or text_words(operator, rule.get(operator))
    options = [*_STATES.items(), ("is_set", "was ever given or refused"), ("is_not_set", "was never asked for")]
    if not state:
        options.append(("", said))
    return ("whose consent to",
            Chip("channel", CHANNEL_WORDS.get(channel, channel), (
                Choice("channel", "Channel", [(name, CHANNEL_WORDS[name]) for name in CHANNELS], channel),)),
            Chip("test", said, (Choice("state", "Newest statement", options, state),)))


def read_consent(rule: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """The condition as the form has it now."""
    channel = fields.one("channel", shown(rule.get("consent")))
    state = fields.one("state")
    if state in ("is_set", "is_not_set"):
        return {"consent": channel, state: True}
    if state in CONSENT_STATES:
        return {"consent": channel, "is": state}
    operator = operator_of(rule)
    return {"consent": channel, **({operator: rule[operator]} if operator else {"is": "granted"})}


def prefers(rule: dict[str, Any]) -> Sentence:
    """"who prefer letter or phone"."""
    channels = texts_of(rule.get("preferred_channel"))
    said = " or ".join(CHANNEL_WORDS.get(channel, channel) for channel in channels) or "…"
    options = [(name, CHANNEL_WORDS[name]) for name in CHANNELS]
    return ("prefer", Chip("channels", said, (Ticks("channels", "Channels", options, channels),),
                           None if channels else "Choose at least one channel."))


def read_prefers(rule: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """The condition as the form has it now."""
    if not fields.holds("channels"):
        return rule
    chosen = fields.many("channels")
    before = rule.get("preferred_channel")
    return rule if [before] == chosen else {"preferred_channel": chosen}


def segment(rule: dict[str, Any], *, negated: bool, segments: Mapping[str, str], own_key: str,
            archived: Collection[str] = ()) -> Sentence:
    """"are in segment Newsletter readers"."""
    key = shown(rule.get("segment"))
    options = [(other, name) for other, name in segments.items() if other != own_key and other not in archived]
    problem = None
    if not key:
        problem = "Choose a segment." if options else "There is no other segment yet."
        options.insert(0, ("", "choose one"))
    elif key == own_key:
        problem = "A segment cannot hold itself. Choose another one."
    elif key not in segments:
        problem = f"There is no segment “{key[:60]}”. Choose another one."
    if key and key not in dict(options):
        options.append((key, f"{segments[key]}, archived" if key in segments else key))
    return (f"are {'not ' if negated else ''}in segment",
            Chip("segment", segments.get(key, key) or "…", (Choice("segment", "Segment", options, key),), problem))


def read_segment(rule: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """The condition as the form has it now."""
    return {"segment": fields.one("segment", shown(rule.get("segment")))}


def sample(rule: dict[str, Any], *, negated: bool) -> Sentence:
    """"are in a random 10 % named spring"."""
    given = rule.get("sample")
    given = given if isinstance(given, dict) else {}
    percent, salt = given.get("percent"), shown(given.get("salt"))
    number = isinstance(percent, int | float) and not isinstance(percent, bool)
    problem = None if number else "Write a percentage, for example 10."
    if number and not 0 <= float(str(percent)) <= 100:
        problem = "A percentage lies between 0 and 100."
    return (f"are {'not ' if negated else ''}in a random",
            Chip("percent", f"{plain_number(percent)} %", (
                Text("percent", "Part of all customers", shown(percent), "%", inputmode="decimal"),), problem),
            "named",
            Chip("salt", salt or "…", (Text("salt", "Name of the draw", salt,
                                             hint="The same name draws the same people, everywhere and always."),)))


def read_sample(rule: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """The condition as the form has it now."""
    given = rule.get("sample")
    before: dict[str, Any] = given if isinstance(given, dict) else {}
    percent: Any = before.get("percent")
    if fields.holds("percent"):
        percent = fields.one("percent")
        try:
            number = read_decimal(percent)
            percent = int(number) if number == number.to_integral_value() else float(number)
        except Invalid:
            pass
    return {"sample": {"percent": percent, "salt": fields.one("salt", shown(before.get("salt")))}}
