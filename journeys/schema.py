"""Which keys and values may a journey's JSON hold?

Owns the JSON Schema that editors show as help and complete from. It describes the form alone; what steps mean together
is judged in `checking`.
"""

from typing import Any

from campaigns.planning import HIGHEST_HOLDOUT_PERCENT
from journeys.graph import CHANNELS, MOVES

_NAME = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[A-Za-z0-9_-]+$"}
_NEXT = {**_NAME, "description": "The step people go to from here."}
_INSTANT = {"type": "string", "description": "ISO 8601; without offset UTC, e.g. 2026-03-01T09:00+01:00"}
_RULE = {"type": "object", "description": "A rule, as in a segment."}
_DAYS = {"type": "integer", "minimum": 0, "maximum": 3650}


def _step(kind: str, words: str, properties: dict[str, Any], required: tuple[str, ...] = ("next",)) -> dict[str, Any]:
    return {
        "type": "object", "description": words, "additionalProperties": False, "required": ["kind", *required],
        "properties": {"kind": {"const": kind}, "name": {"type": "string"}, **properties},
    }


_SEND = _step("send", "Say something, with a code when an offer is named.", {
    "content": {"type": "string", "minLength": 1, "description": "Key of a content."},
    "offer": {"type": "string", "minLength": 1, "description": "Key of an offer: the message carries a personal code."},
    "channel": {"enum": list(CHANNELS), "default": "preferred",
                "description": "preferred: as the person asked, else as the person contacts the shop."},
    "fallback": {"type": "boolean", "default": False,
                 "description": "Try the next allowed channel when the first one failed, was suppressed or bounced."},
    "code": {"enum": ["same", "new"], "default": "same",
             "description": "same: the code this person already holds for the offer."},
    "next": _NEXT,
}, ("content", "next"))

_WAIT = _step("wait", "Stand still; counts from the day the last message is expected to arrive.", {
    "days": {**_DAYS, "description": "Days of the person's own calendar."},
    "hours": {"type": "number", "minimum": 0, "maximum": 87600},
    "at_local_time": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$",
                      "description": "Then go on at this time of day where the person lives."},
    "until": {"description": "An instant, or some days before the person's code ends.", "anyOf": [_INSTANT, {
        "type": "object", "additionalProperties": False, "required": ["code_ends"],
        "properties": {"code_ends": {"type": "string", "description": "Key of the offer."}, "minus_days": _DAYS},
    }]},
    "next": _NEXT,
})

_BRANCH = _step("branch", "Ask a rule and go one of two ways.", {
    "if": _RULE,
    "next": {"type": "object", "additionalProperties": False, "required": ["yes", "no"],
             "properties": {"yes": _NEXT, "no": _NEXT}},
}, ("if", "next"))

_SPLIT = _step("split", "Draw an arm for good: the same person always gets the same one.", {
    "arms": {"type": "object", "minProperties": 2, "description": "Name -> share; the shares add up to 100.",
             "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "maximum": 100}},
    "next": {"type": "object", "minProperties": 2, "additionalProperties": _NEXT},
}, ("arms", "next"))

_LEAVE = _step("leave", "The journey is over for this person.", {}, ())

_EXIT = {
    "type": "array",
    "description": "Who is left in peace. Left out: who redeemed, or ordered in the campaign's goal categories.",
    "items": {"anyOf": [
        {"type": "object", "additionalProperties": False, "required": [name], "properties": {name: {"const": True}}}
        for name in ("redeemed", "ordered")
    ] + [_RULE]},
}


def graph_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a journey."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Journey", "type": "object", "additionalProperties": False, "required": ["entry", "start", "steps"],
        "properties": {
            "name": {"type": "string", "maxLength": 200},
            "entry": {"type": "object", "additionalProperties": False, "required": ["segment"],
                      "properties": {
                          "segment": {"type": "string", "description": "Key of the segment that enters."},
                          "on": {"enum": list(MOVES), "description":
                                 "Who comes into the segment, or leaves it, from now on enters then. Left out: who is "
                                 "in it at the start."}}},
            "exclude": {"type": "array", "items": {"const": "standing"}, "description":
                        "standing: whom the house leaves out of every campaign does not enter and gets no message."},
            "unit": {"const": "customer"}, "reentry": {"const": "never"},
            "window": {"type": "object", "additionalProperties": False,
                       "properties": {"from": _INSTANT, "until": _INSTANT}},
            "holdout_percent": {"type": "number", "minimum": 0, "maximum": HIGHEST_HOLDOUT_PERCENT,
                                "description": "Share of the people left alone; left out: the campaign's."},
            "exit_when": _EXIT,
            "start": {**_NAME, "description": "The step people come to first."},
            "steps": {"type": "object", "minProperties": 1, "propertyNames": _NAME,
                      "additionalProperties": {"oneOf": [_SEND, _WAIT, _BRANCH, _SPLIT, _LEAVE]}},
        },
    }
