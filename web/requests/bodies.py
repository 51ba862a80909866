"""How is the JSON that a program sends read, so that nothing in it can break us?

Owns the strict reader of bodies and the field types that every resource builds its schemas from. The promise: wrong
types, NaN, numbers of any size, NUL characters, half surrogates and bottomless nesting are answered with 400, never
with 500; so is a name that stands twice in one object.
"""

import json
import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn, TypeVar

import flask_smorest
from flask import Request
from marshmallow import Schema, ValidationError, fields
from webargs import missing
from webargs.flaskparser import FlaskParser

from core.errors import Invalid
from core.storable import is_storable
from coupons.offers.discount import MAX_CENTS
from journeys.editing.file_text import read_text

View = TypeVar("View", bound=Callable[..., Any])

YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml")
_ONE_LINE = "The body is not JSON that we can read: {0}."


def _not_a_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose names stand in it once. Raises Invalid for one that stands twice.

    Readers differ in which of two values they take, so a body that says two things is no request to act on.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _value in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise Invalid(f"{twice[:100]!r} stands twice in one object. Send it once.", place="body")
    return found


def _yaml_object(raw: bytes) -> dict[str, Any]:
    try:
        value = read_text(raw.decode("utf-8"), as_yaml=True).value
    except UnicodeDecodeError:
        raise Invalid("The body is not UTF-8 text.") from None
    except Invalid as error:
        raise Invalid(f"The body is not YAML that we can read: {error.message}") from None
    if not isinstance(value, dict):
        raise Invalid("Send a YAML object, with a key on each line.")
    return value


class StrictParser(FlaskParser):  # type: ignore[misc, unused-ignore]
    """Reads JSON bodies, and YAML ones where the schema says `takes_yaml`; what is no object is a 400 with one
    sentence."""

    DEFAULT_VALIDATION_STATUS = 400

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The parsed body, `missing` when there is none."""
        raw = req.get_data(cache=True)
        if not raw.strip():
            return missing
        if getattr(schema, "takes_yaml", False) and req.mimetype in YAML_TYPES:
            return _yaml_object(raw)
        if not req.is_json:
            raise Invalid("Send JSON with the header Content-Type: application/json.")
        try:
            value = json.loads(raw, parse_constant=_not_a_number, parse_float=_finite, object_pairs_hook=named_once)
        except RecursionError as error:
            raise Invalid(_ONE_LINE.format("it is nested too deeply")) from error
        except ValueError as error:  # malformed, not UTF-8, NaN, or an integer of thousands of digits
            words = "it holds a number of thousands of digits" if "digits" in str(error) else str(error)[:200]
            raise Invalid(_ONE_LINE.format(words)) from error
        if not isinstance(value, dict):
            raise Invalid("Send a JSON object, in braces.")
        return value


class Resource(flask_smorest.Blueprint):  # type: ignore[misc]
    """A blueprint of the API whose bodies are read strictly."""

    ARGUMENTS_PARSER = StrictParser()

    # The library has no types; these say what its decorators do.
    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Serve the view at `rule`."""
        decorate: Callable[[View], View] = super().route(rule, **options)
        return decorate

    def arguments(self, schema: Any, **options: Any) -> Callable[[View], View]:
        """Check the body (or the query) against `schema` and hand it to the view first."""
        decorate: Callable[[View], View] = super().arguments(schema, **options)
        return decorate

    def response(self, status_code: int, schema: Any = None, **options: Any) -> Callable[[View], View]:
        """Document what the view answers; ready responses pass as they are."""
        decorate: Callable[[View], View] = super().response(status_code, schema, **options)
        return decorate


class Words(fields.String):
    """Text of 1 to `longest` characters that every database can store."""

    def __init__(self, *, longest: int, shortest: int = 1, **options: Any) -> None:
        super().__init__(metadata={"minLength": shortest, "maxLength": longest}, **options)
        self.longest, self.shortest = longest, shortest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Use text in quotes.")
        if not self.shortest <= len(value) <= self.longest:
            raise ValidationError(f"Use {self.shortest} to {self.longest} characters." if self.shortest
                                  else f"Use at most {self.longest} characters.")
        if not is_storable(value):
            raise ValidationError("This holds characters that are no text.")
        return value


class Whole(fields.Integer):
    """A whole number from `least` to `most`; no text, no truth value, no fraction."""

    def __init__(self, *, least: int = 0, most: int = MAX_CENTS, **options: Any) -> None:
        super().__init__(strict=True, metadata={"minimum": least, "maximum": most}, **options)
        self.least, self.most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> int:
        if type(value) is not int:
            raise ValidationError("Use a whole number.")
        if not self.least <= value <= self.most:
            raise ValidationError(f"Use a number from {self.least} to {self.most}.")
        return value


class Truth(fields.Boolean):
    """True or false; no number, no word."""

    def __init__(self, **options: Any) -> None:
        super().__init__(truthy={True}, falsy={False}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> bool:
        if type(value) is not bool:
            raise ValidationError("Use true or false.")
        return value


class Exact(fields.Field[Decimal]):
    """A number from `least` to `most` with at most `places` decimals, kept exactly."""

    def __init__(self, *, least: int, most: int, places: int, **options: Any) -> None:
        super().__init__(metadata={"type": "number", "minimum": least, "maximum": most}, **options)
        self.least, self.most, self.places = least, most, places

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Decimal:
        if type(value) not in (int, float):
            raise ValidationError("Use a number.")
        try:
            exact = Decimal(str(value))
        except (InvalidOperation, ValueError) as error:
            raise ValidationError("Use a number.") from error
        if not exact.is_finite() or not self.least <= exact <= self.most:
            raise ValidationError(f"Use a number from {self.least} to {self.most}.")
        if exact != exact.quantize(Decimal(1).scaleb(-self.places)):
            raise ValidationError(f"Use at most {self.places} decimals.")
        return exact


class Few(fields.List[Any]):
    """A list of at most `most` items; one with more is refused before any item is looked at."""

    def __init__(self, item: fields.Field[Any], *, most: int, **options: Any) -> None:
        super().__init__(item, metadata={"maxItems": most}, **options)
        self.most = most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > self.most:
            raise ValidationError(f"Use at most {self.most} of them.")
        return super()._deserialize(value, attr, data, **options)


class Page(Schema):
    """How lists are walked: `limit` items after the cursor that the page before gave as `next`."""

    limit = fields.Integer(load_default=100, metadata={"minimum": 1, "maximum": 500})
    after = fields.String(load_default=None)


def page_of(asked: dict[str, Any]) -> tuple[int, int]:
    """The number to begin after and the size of the page. Raises Invalid when they are no such numbers."""
    limit, after = limit_of(asked), asked["after"]
    if after is None:
        return 0, limit
    if not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise Invalid("Use the value that the page before gave as next.", place="after")
    return int(after), limit


def limit_of(asked: dict[str, Any]) -> int:
    """The size of the page, for lists whose cursor is no number. Raises Invalid."""
    limit: int = asked["limit"]
    if not 1 <= limit <= 500:
        raise Invalid("Use a number from 1 to 500.", place="limit")
    return limit


def listed(items: list[dict[str, Any]], following: int | str | None) -> dict[str, Any]:
    """One page of a list as every resource answers it."""
    return {"items": items, "next": None if following is None else str(following)}
