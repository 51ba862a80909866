"""What may a marketer's template say, and how far may it go?

Owns the Liquid dialect of all contents: the variables there are, the tags and filters allowed, and the limits on loops,
local values and output. Templates see plain values only: no objects, no files, no clock. A template that asks for more
is refused when the content is compiled, with the line and the way out; one that grows too large for a person stops.
Promise: customer data is data. It is never parsed as Liquid, and it is always escaped in HTML.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any

from liquid import BoundTemplate, Environment
from liquid.ast import Node
from liquid.builtin.expressions.primitive import IntegerLiteral, RangeLiteral
from liquid.builtin.tags.for_tag import ForNode
from liquid.context import RenderContext
from liquid.exceptions import (
    FilterArgumentError,
    LiquidError,
    LocalNamespaceLimitError,
    LoopIterationLimitError,
    OutputStreamLimitError,
)
from liquid.expression import Expression
from liquid.static_analysis import Variable

LOOP_LIMIT = 1_000
"""Rounds of all nested loops together."""

LOCAL_BYTES_LIMIT = 100_000
"""Bytes that `assign` and `capture` may hold for one person."""

OUTPUT_BYTES_LIMIT = 500_000
"""Bytes one part may have for one person. Mail programs cut off after about 100 kB."""

SOURCE_LIMIT = 500_000
"""Characters of one part as written."""

VARIABLES: dict[str, str] = {
    "greeting": "Dear Ms Miller; without a name: Dear customer",
    "customer.salutation": "Ms, Mr or as imported",
    "customer.first_name": "first name; without one: customer",
    "customer.last_name": "last name",
    "customer.company": "company",
    "customer.street": "street and number",
    "customer.postal_code": "postal code",
    "customer.city": "city",
    "customer.country": "country",
    "customer.language": "language, two letters",
    "customer.attributes.*": "any further column of your import",
    "code": "the personal code, in groups",
    "code_valid_until": "the last day the code is valid, written out",
    "offer.name": "name of the offer",
    "offer.text": "what the offer gives, in words",
    "offer.terms": "the offer's conditions, written from its rules",
    "campaign.name": "name of the campaign",
    "shop.name": "name of the shop",
    "shop.address": "postal address of the shop",
    "shop.url": "address of the shop on the web",
    "unsubscribe_url": "link to unsubscribe",
    "preferences_url": "link to the customer's preferences",
    "links.*": "the named links of this content",
}
"""Every variable a template may name, with its meaning. `*` stands for any one name."""

TAGS = ("if", "unless", "case", "for", "break", "continue", "assign", "capture", "cycle", "comment", "raw")
"""Liquid tags allowed. None of them reads files, other templates or the clock."""

FILTERS = (
    "append", "prepend", "capitalize", "downcase", "upcase", "default", "escape", "escape_once", "first", "last",
    "join", "split", "size", "strip", "lstrip", "rstrip", "strip_html", "strip_newlines", "newline_to_br", "remove",
    "remove_first", "replace", "replace_first", "slice", "truncate", "truncatewords", "url_encode", "plus", "minus",
    "times", "divided_by", "modulo", "round", "ceil", "floor", "abs", "at_least", "at_most", "reverse", "sort", "uniq",
    "squish",
)  # fmt: skip
"""Liquid filters allowed: none marks data as safe HTML, decodes, or reads the clock."""

_RANGE = f"a range is possible only in a for, from one written number to another, up to {LOOP_LIMIT:,} rounds."
_NODE_TAGS = frozenset({"content", "output", "illegal"})
_BIGGEST_WHOLE_NUMBER = 10**15


@dataclass(frozen=True, slots=True)
class ContentError:
    """One thing to mend: `part` (subject, mjml, letter, call_script), `line` (1 is the first; None when the part as a
    whole is meant), `tag` it concerns if any, and a sentence that says what is wrong and the way out.
    """

    part: str
    line: int | None
    tag: str | None
    message: str

    def __str__(self) -> str:
        where = self.part if self.line is None else f"{self.part}, line {self.line}"
        return f"{where}: {self.message}"


def _bounded(name: str, filter_: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a filter so that neither its input nor its result can outgrow the limits: `replace` and `join` multiply."""

    @wraps(filter_)
    def bounded(value: Any, *args: Any, **named: Any) -> Any:
        for given in (value, *args):
            if isinstance(given, range):
                raise FilterArgumentError(f"the filter {name} does not take a range", token=None)
            if isinstance(given, int | float) and abs(given) > _BIGGEST_WHOLE_NUMBER:
                raise FilterArgumentError(f"the number given to {name} is too large", token=None)
        if name in {"replace", "join"} and args and _multiplied(name, value, args) > LOCAL_BYTES_LIMIT:
            raise LocalNamespaceLimitError(f"the result of {name} is too long", token=None)
        result = filter_(value, *args, **named)
        if isinstance(result, str) and len(result) > LOCAL_BYTES_LIMIT:
            raise LocalNamespaceLimitError(f"the result of {name} is too long", token=None)
        return result

    return bounded


def _multiplied(name: str, value: Any, args: tuple[Any, ...]) -> int:
    """Return the length that `replace` or `join` would produce, without producing it."""
    if name == "join":
        items = list(value) if isinstance(value, list | tuple) else [value]
        return sum(len(str(item)) for item in items) + len(items) * len(str(args[0]))
    text, sought = str(value), str(args[0])
    put = str(args[1]) if len(args) > 1 else ""
    return len(text) + text.count(sought) * len(put)


class _Dialect(Environment):
    loop_iteration_limit = LOOP_LIMIT
    local_namespace_limit = LOCAL_BYTES_LIMIT
    output_stream_limit = OUTPUT_BYTES_LIMIT

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=False)
        for name in [name for name in self.tags if name not in _NODE_TAGS and name not in TAGS]:
            del self.tags[name]
        self.filters = {name: _bounded(name, self.filters[name]) for name in FILTERS}


_HTML = _Dialect(autoescape=True)
_TEXT = _Dialect(autoescape=False)


def parsed(source: str, *, html: bool) -> BoundTemplate:
    """Parse a template that `template_errors` has passed. With `html` every value is escaped, in either kind of quotes.

    Raises LiquidError when the source is not a template.
    """
    return (_HTML if html else _TEXT).from_string(source)


def template_errors(part: str, source: str) -> tuple[ContentError, ...]:
    """Return what keeps `source` from being a template of ours: syntax, unknown names, ranges that could run away."""
    if len(source) > SOURCE_LIMIT:
        return (ContentError(part, None, None, f"is longer than {SOURCE_LIMIT:,} characters; shorten it."),)
    try:
        template = parsed(source, html=False)
    except LiquidError as error:
        return (liquid_error(part, error, source=source),)
    except RecursionError:
        return (ContentError(part, None, None, "is nested too deeply; use fewer conditions inside one another."),)
    return (
        *_unknown_variables(part, source, template),
        *_unknown_filters(part, source, template),
        *_wild_ranges(part, source, template.nodes),
    )


def liquid_error(part: str, error: LiquidError, *, source: str) -> ContentError:
    """Turn an error of the Liquid library into a sentence with the line in `source`."""
    line = None
    if error.token is not None and 0 <= error.token.start_index <= len(source):
        line = line_at(source, error.token.start_index)
    if isinstance(error, LoopIterationLimitError):
        message = f"a loop runs more than {LOOP_LIMIT:,} rounds; loop over less."
    elif isinstance(error, OutputStreamLimitError):
        message = f"the result is longer than {OUTPUT_BYTES_LIMIT // 1000} kB; shorten it."
    elif isinstance(error, LocalNamespaceLimitError):
        message = "a value grows beyond 100 kB; assign, capture, join or replace less."
    else:
        message = _tag_hint(str(error.message or error))
    return ContentError(part, line, None, message)


def _tag_hint(said: str) -> str:
    """Put the library's words into a sentence; name what there is when a tag is unknown."""
    if "tag" in said and ("unknown" in said or "unexpected" in said):
        return f"Liquid: {said}. Tags there are: {', '.join(TAGS)}."
    return f"Liquid: {said}. Check the braces and that every if, for and case has its end."


def line_at(source: str, index: int) -> int:
    """Return the line (from 1) in which the character at `index` stands."""
    return source.count("\n", 0, index) + 1


def is_known_variable(name: str) -> bool:
    """Say whether a dotted name is in VARIABLES."""
    return name in VARIABLES or f"{name.rpartition('.')[0]}.*" in VARIABLES


def variables_of(source: str) -> frozenset[str]:
    """Return the dotted names of all variables that a valid template takes from outside."""
    found = parsed(source, html=False).analyze(include_partials=False).globals
    return frozenset(str(variable) for variables in found.values() for variable in variables)


def _unknown_variables(part: str, source: str, template: BoundTemplate) -> Iterator[ContentError]:
    for variables in template.analyze(include_partials=False).globals.values():
        for variable in variables:
            name = _trimmed(variable)
            if not is_known_variable(name):
                near = difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.6)
                way_out = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(VARIABLES)}."
                message = f"there is no variable {name}. {way_out}"
                yield ContentError(part, line_at(source, variable.span.index), None, message)


def _unknown_filters(part: str, source: str, template: BoundTemplate) -> Iterator[ContentError]:
    for name, spans in template.analyze(include_partials=False).filters.items():
        if name not in FILTERS:
            message = f"there is no filter {name}. There are: {', '.join(sorted(FILTERS))}."
            yield ContentError(part, line_at(source, spans[0].index), None, message)


def _trimmed(variable: Variable) -> str:
    """Return the dotted name; Liquid's own `.size` is cut off."""
    name = str(variable)
    stem, _, last = name.rpartition(".")
    return stem if last == "size" and is_known_variable(stem) and not is_known_variable(name) else name


def _wild_ranges(part: str, source: str, nodes: list[Node]) -> Iterator[ContentError]:
    """Yield ranges that are not two written numbers close together: the library lays some ranges out in memory."""
    for node in nodes:
        for expression in node.expressions():
            for found in _ranges(expression):
                if not isinstance(node, ForNode) or not _is_small(found):
                    line = line_at(source, node.token.start_index)
                    yield ContentError(part, line, None, _RANGE)
        yield from _wild_ranges(part, source, list(node.children(_NO_CONTEXT, include_partials=False)))


def _ranges(expression: Expression) -> Iterator[RangeLiteral]:
    if isinstance(expression, RangeLiteral):
        yield expression
    for child in expression.children():
        yield from _ranges(child)


def _is_small(found: RangeLiteral) -> bool:
    if not isinstance(found.start, IntegerLiteral) or not isinstance(found.stop, IntegerLiteral):
        return False
    return bool(found.stop.value - found.start.value < LOOP_LIMIT)


_NO_CONTEXT = RenderContext(parsed("", html=False))
