"""How is a parsed template filled fast, with exactly Liquid's result?

Splits a template once into fixed text, plain outputs and the rest: fixed text is handed through as the same object
every time (so that a channel can keep its encoded form), plain outputs are looked up and escaped, and whatever else
Liquid can do is left to the library, as are templates that assign. Promise: the same text as Liquid's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from liquid import BoundTemplate
from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.context import RenderContext
from liquid.exceptions import LiquidError, LiquidInterrupt, OutputStreamLimitError
from liquid.expression import Expression
from liquid.stringify import to_liquid_string
from markupsafe import escape

from delivery.templating import OUTPUT_BYTES_LIMIT

_LIQUIDS_OWN = frozenset({"size", "first", "last"})


@dataclass(frozen=True, slots=True)
class _Lookup:
    """A plain output: the names on the way to the value."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """An `if`: conditions with their steps, in order; None stands for else."""

    cases: tuple[tuple[Expression | None, tuple[_Step, ...]], ...]


_Step = str | _Lookup | _Choice | Node


class Filling:
    """A template prepared for filling many times."""

    def __init__(self, template: BoundTemplate, *, html: bool) -> None:
        self._template = template
        self._html = html
        assigns = bool(template.analyze(include_partials=False).locals)
        self._steps: tuple[_Step, ...] | None = None if assigns else _steps(template.nodes)

    def pieces(self, values: Mapping[str, object]) -> list[str]:
        """Return the filled template in pieces; fixed text is always the same object. Raises LiquidError on a limit."""
        if self._steps is None:
            return [self._template.render(values)]
        out: list[str] = []
        try:
            self._run(self._steps, values, RenderContext(self._template, globals=values), out)
        except LiquidInterrupt as error:
            raise LiquidError(f"unexpected '{error}'", token=None) from error
        if sum(map(len, out)) > OUTPUT_BYTES_LIMIT:
            raise OutputStreamLimitError("output stream limit reached", token=None)
        return out

    def _run(
        self, steps: tuple[_Step, ...], values: Mapping[str, object], context: RenderContext, out: list[str]
    ) -> None:
        for step in steps:
            kind = type(step)
            if kind is str:
                out.append(step)  # type: ignore[arg-type]
            elif kind is _Lookup:
                out.append(self._looked_up(step.path, values))  # type: ignore[union-attr]
            elif kind is _Choice:
                for condition, inner in step.cases:  # type: ignore[union-attr]
                    if condition is None or condition.evaluate(context):
                        self._run(inner, values, context, out)
                        break
            else:
                buffer = context.get_buffer()
                step.render(context, buffer)  # type: ignore[union-attr]
                out.append(buffer.getvalue())

    def _looked_up(self, path: tuple[str, ...], values: Mapping[str, object]) -> str:
        value: object = values
        for name in path:
            if not isinstance(value, dict):
                return ""
            value = value.get(name)
        if type(value) is str:
            return escape(value) if self._html else value
        return to_liquid_string(value, self._html)


def _steps(nodes: list[Node]) -> tuple[_Step, ...]:
    return tuple(_step(node) for node in nodes)


def _step(node: Node) -> _Step:
    if type(node) is ContentNode:
        return str(node.text)
    if type(node) is OutputNode:
        return _lookup(node) or node
    if type(node) is IfNode and not node.blank:
        cases: list[tuple[Expression | None, tuple[_Step, ...]]] = [(node.condition, _block(node.consequence))]
        cases += [(alternative.expression, _block(alternative.block)) for alternative in node.alternatives]
        if node.default:
            cases.append((None, _block(node.default)))
        return _Choice(tuple(cases))
    return node


def _block(block: BlockNode) -> tuple[_Step, ...]:
    """Return a block's steps; one that Liquid would suppress as blank stays Liquid's."""
    return (block,) if block.blank else _steps(block.nodes)


def _lookup(node: OutputNode) -> _Lookup | None:
    expression = node.expression
    if type(expression) is not FilteredExpression or expression.filters or type(expression.left) is not Path:
        return None
    names = tuple(name for name in expression.left.path if isinstance(name, str) and name not in _LIQUIDS_OWN)
    return _Lookup(names) if len(names) == len(expression.left.path) else None
