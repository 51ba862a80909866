"""Which keys and values may a journey's JSON hold?

Owns the JSON Schema that editors show as help and complete from. It describes the form alone; what steps mean together
is judged in `checking`.
"""

from typing import Any

from campaigns.planning import HIGHEST_HOLDOUT_PERCENT
from journeys.graphs.graph import CALL_WAYS, CHANNELS, MEASURES, MOVES, UNITS
from journeys.graphs.reading import EXIT_FLAGS
from journeys.graphs.reading_entry import MOST_BEST
from journeys.graphs.reading_steps import ELSE, LARGEST_BUDGET_CENTS, MOST_ARMS, MOST_CASES

_NAME = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[A-Za-z0-9_-]+$"}
_NEXT = {**_NAME, "description": "The step people go to from here."}
_INSTANT = {"type": "string", "description": "ISO 8601; without offset UTC, e.g. 2026-03-01T09:00+01:00"}
_RULE = {"type": "object", "description": "A rule, as in a segment."}
_TIME_OF_DAY = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
_PROPERTIES = {"type": "object", "description": "Property of the event -> the texts it may have.",
               "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1,
                                                                       "items": {"type": "string"}}]}}
_DAYS = {"type": "integer", "minimum": 0, "maximum": 3650}


def _step(kind: str, words: str, properties: dict[str, Any], required: tuple[str, ...] = ("next",)) -> dict[str, Any]:
    return {
        "type": "object", "description": words, "additionalProperties": False, "required": ["kind", *required],
        "properties": {"kind": {"const": kind}, "name": {"type": "string"}, **properties},
    }


_SEND = _step("send", "Say something, with a code when an offer is named.", {
    "content": {"type": "string", "minLength": 1, "description": "Key of a content."},
    "offer": {"type": "string", "minLength": 1, "description": "Key of an offer: the message carries a personal code."},
    "channel": {"default": "preferred", "anyOf": [
        {"enum": list(CHANNELS),
         "description": "preferred: as the person asked, else as the person contacts the shop."},
        {"type": "object", "additionalProperties": False, "required": ["best_first", "budget_cents"], "description":
         "The best of the segment get this channel until its price has used up the budget, the rest the next one.",
         "properties": {"best_first": {"enum": list(CHANNELS[1:])}, "rest": {"enum": list(CHANNELS)},
                        "budget_cents": {"type": "integer", "minimum": 1, "maximum": LARGEST_BUDGET_CENTS}}}]},
    "fallback": {"type": "boolean", "default": False,
                 "description": "Try the next allowed channel when the first one failed, was suppressed or bounced."},
    "code": {"enum": ["same", "new"], "default": "same",
             "description": "same: the code this person already holds for the offer."},
    "next": _NEXT,
}, ("content", "next"))

_WAIT = _step("wait", "Stand still; counts from the day the last message is expected to arrive.", {
    "days": {**_DAYS, "description": "Days of the person's own calendar."},
    "hours": {"type": "number", "minimum": 0, "maximum": 87600},
    "at_local_time": {**_TIME_OF_DAY, "description": "Then go on at this time of day where the person lives."},
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

_WAIT_FOR = _step("wait_for", "Stand still until something happens after the person came here, at most for a while.", {
    "event": {"type": "string", "minLength": 1, "maxLength": 100, "description": "The name of an event."},
    "where": _PROPERTIES,
    "ordered": {"description": "An order, in one of these categories if any are named.", "anyOf": [
        {"const": True}, {"type": "object", "additionalProperties": False, "required": ["category"], "properties": {
            "category": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}}}]},
    "redeemed": {"const": True, "description": "This person's code is redeemed."},
    "if": {**_RULE, "description": "A rule, as in a segment: asked at every change it may depend on, and once a day."},
    "days": _DAYS, "hours": {"type": "number", "minimum": 0, "maximum": 87600}, "at_local_time": _TIME_OF_DAY,
    "next": {"type": "object", "additionalProperties": False, "required": ["yes", "timeout"],
             "properties": {"yes": _NEXT, "timeout": _NEXT}},
})

_BRANCH_MANY = _step("branch", "Ask several rules; the first case that fits is taken.", {
    "cases": {"type": "array", "minItems": 1, "maxItems": MOST_CASES, "items": {
        "type": "object", "additionalProperties": False, "required": ["name", "if"],
        "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 60, "not": {"const": ELSE}},
                       "if": _RULE}}},
    "next": {"type": "object", "required": [ELSE], "additionalProperties": _NEXT},
}, ("cases", "next"))

_GIVE = _step("give", "Give a personal code without a message; a later message shows it.", {
    "offer": {"type": "string", "minLength": 1, "description": "Key of an offer."},
    "code": {"enum": ["same", "new"], "default": "same"}, "next": _NEXT,
}, ("offer", "next"))

_CALL = _step("call", "A task for an agent; the person goes on by what came of it.", {
    "content": {"type": "string", "minLength": 1, "description": "Key of a content with a guide for calls."},
    "offer": {"type": "string", "minLength": 1, "description": "Key of an offer: the agent can name a personal code."},
    "code": {"enum": ["same", "new"], "default": "same"},
    "days": {"type": "integer", "minimum": 1, "maximum": 90, "default": 5,
             "description": "Who was not reached after this many days counts as not reached."},
    "next": {"type": "object", "additionalProperties": False, "required": list(CALL_WAYS),
             "properties": dict.fromkeys(CALL_WAYS, _NEXT)},
}, ("content", "next"))

_ON_LIST = {"type": "object", "additionalProperties": False, "minProperties": 1, "properties": {
    name: {"type": "string", "minLength": 1} for name in ("add", "remove")}}
_CHANGE = _step("change", "Change what is known of the person; people left alone stay as they are.", {
    "set": {"type": "object", "description": "Attribute -> value; null takes it away.",
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
    "tag": {**_ON_LIST, "description": "A tag is an attribute that is true: rules ask for attributes.tag_<name>."},
    "list": {**_ON_LIST, "description": "Key of a list the person is put onto or taken off."}, "next": _NEXT,
})

_JUMP = _step("jump", "Go on at another step, also an earlier one.", {"next": _NEXT})

_BY = {"enum": list(MEASURES), "default": "redemptions",
       "description": "By what arms are judged: people who redeem, or margin per person. Never by opens."}
_WITHIN = {"type": "integer", "minimum": 1, "maximum": 90, "default": 7,
           "description": "What people do within so many days of their drawing counts."}

_SPLIT = _step("split", "Draw an arm for good: the same person always gets the same one.", {
    "arms": {"type": "object", "minProperties": 2, "description": "Name -> share; the shares add up to 100.",
             "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "maximum": 100}},
    "rest": {"type": "object", "additionalProperties": False, "required": ["percent"], "description":
             "This share waits until an arm has won, and then goes its way.", "properties": {
                 "percent": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100},
                 "by": _BY, "days": _WITHIN}},
    "next": {"type": "object", "minProperties": 2, "additionalProperties": _NEXT},
}, ("arms", "next"))

_BEST_ARM = _step("best_arm", "Draw an arm, better ones more and more often; each keeps a share.", {
    "arms": {"type": "array", "minItems": 2, "maxItems": MOST_ARMS, "uniqueItems": True,
             "items": {"type": "string", "minLength": 1, "maxLength": 60}},
    "by": _BY, "days": _WITHIN,
    "floor_percent": {"type": "number", "minimum": 1, "maximum": 50, "default": 5,
                      "description": "No arm is drawn less often than this."},
    "next": {"type": "object", "minProperties": 2, "additionalProperties": _NEXT},
}, ("arms", "next"))

_WEBHOOK = _step("webhook", "Tell a program that this person came here, by a signed request.", {
    "receiver": {"type": "string", "minLength": 1, "description": "Key of a receiver, as it stands in the settings."},
    "event": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,100}$", "default": "journey.step",
              "description": "The type that the request names."},
    "data": {"type": "object", "description": "Told beside who it is.",
             "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
    "next": _NEXT,
}, ("receiver", "next"))

_LEAVE = _step("leave", "The journey is over for this person.", {}, ())

_ENTRY = {
    "type": "object", "additionalProperties": False, "minProperties": 1,
    "properties": {
        "segment": {"type": "string", "minLength": 1, "description": "Key of the segment (or list) that enters."},
        "on": {"enum": list(MOVES), "description": "Who comes into the segment, or leaves it, from now on enters then. "
               "Left out: who is in it at the start."},
        "event": {"type": "string", "minLength": 1, "maxLength": 100,
                  "description": "Whoever has this event enters then; with a segment, only its people do."},
        "where": _PROPERTIES,
        "key": {"type": "string", "minLength": 1, "maxLength": 100, "description":
                "Property of the event, such as cart_id: each value has a passage of its own, two carts walk side by "
                "side, and whether people may come again is asked for each value."},
        "schedule": {"type": "string", "description":
                     "minute hour day month weekday, by the campaign's clock: the segment's members enter each time."},
        "api": {"type": "boolean", "description": "Programs may let people in."},
        "top": {"type": "object", "additionalProperties": False, "required": ["count", "by"], "description":
                "Only the best of the segment enter, by the model of the campaign's newest forecast.",
                "properties": {"count": {"type": "integer", "minimum": 1, "maximum": MOST_BEST},
                               "by": {"const": "expected_contribution"}}},
        "manual": {"type": "boolean", "description": "Colleagues may let people in from their page."},
    },
}

_EXIT = {
    "type": "array",
    "description": "Who is left in peace. Left out: who redeemed, or ordered in the campaign's goal categories.",
    "items": {"anyOf": [
        {"type": "object", "additionalProperties": False, "required": [name], "properties": {name: {"const": True}}}
        for name in EXIT_FLAGS
    ] + [_RULE]},
}


def graph_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a journey."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Journey", "type": "object", "additionalProperties": False, "required": ["entry", "start", "steps"],
        "properties": {
            "name": {"type": "string", "maxLength": 200},
            "entry": _ENTRY,
            "exclude": {"type": "array", "items": {"const": "standing"}, "description":
                        "standing: whom the house leaves out of every campaign does not enter and gets no message."},
            "unit": {"enum": list(UNITS), "default": "customer", "description":
                     "household: one draw for all who live together, and one of them inside at a time. organisation: "
                     "one draw for everybody of it; all of them enter."},
            "reentry": {"default": "never", "description": "Whether whoever has left may come again.", "anyOf": [
                {"enum": ["never", "always"]},
                {"type": "object", "additionalProperties": False, "required": ["after_days"], "properties": {
                    "after_days": {"type": "integer", "minimum": 1, "maximum": 3650}}}]},
            "group": {"type": "string", "minLength": 1, "maxLength": 60, "description":
                      "A person is in one journey of a group at a time."},
            "priority": {"type": "integer", "minimum": 0, "maximum": 100, "default": 0, "description":
                         "Of two journeys of a group, the one of higher priority takes the person over."},
            "window": {"type": "object", "additionalProperties": False,
                       "properties": {"from": _INSTANT, "until": _INSTANT}},
            "holdout_percent": {"type": "number", "minimum": 0, "maximum": HIGHEST_HOLDOUT_PERCENT,
                                "description": "Share of the people left alone; left out: the campaign's."},
            "exit_when": _EXIT,
            "quiet_hours": {"type": "object", "additionalProperties": False, "required": ["from", "until"],
                            "properties": {"from": _TIME_OF_DAY, "until": _TIME_OF_DAY}, "description":
                            "No message of this journey goes out between these times where the person lives."},
            "start": {**_NAME, "description": "The step people come to first."},
            "steps": {"type": "object", "minProperties": 1, "propertyNames": _NAME,
                      "additionalProperties": {"oneOf": [
                          _SEND, _WAIT, _WAIT_FOR, _BRANCH, _BRANCH_MANY, _SPLIT, _BEST_ARM, _GIVE, _CALL, _CHANGE,
                          _WEBHOOK, _JUMP, _LEAVE]}},
        },
    }
