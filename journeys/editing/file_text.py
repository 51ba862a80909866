"""How is a campaign's file read and written: JSON or YAML?

Owns both forms of the same values. YAML is read as JSON's values alone: `on`, `yes`, `09:00` and dates are texts, keys
are texts, nothing is made or run by a tag, and what could grow beyond the file (aliases) or nest without end is
refused. The promises: what is written in one form comes back the same in the other; an error names its line, and a
problem's place can be found in the text.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import yaml

from core.errors import Invalid

SUFFIXES = (".yaml", ".yml")
MOST_LEVELS = 100
LONGEST_FOUND = 500_000
"""In longer texts lines are not looked up; places still say where something is."""
_PLAIN = {
    "null": (r"(?:~|null|)", "~n\0"), "bool": (r"(?:true|false)", "tf"), "int": (r"-?(?:0|[1-9][0-9]*)", "-0123456789"),
    "float": (r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)", "-0123456789"),
}


@dataclass(frozen=True)
class Written:
    """The value of a file and its text."""

    value: Any
    text: str

    def line_of(self, place: str) -> int | None:
        """The line, from 1, on which this place begins, or what it stands in; None where it cannot be told."""
        if len(self.text) > LONGEST_FOUND:
            return None
        try:
            node = yaml.compose(self.text, Loader=_Loader)
        except yaml.YAMLError:
            return None  # JSON that is no YAML, such as one indented by tabs
        found = node.start_mark.line if node is not None else 0
        for name in re.findall(r"[^.\[\]]+", place):
            onward = _into(node, name)
            if onward is None:
                break
            found, node = onward
        return found + 1


def is_yaml(name: str) -> bool:
    """Whether a file of this name holds YAML."""
    return name.lower().endswith(SUFFIXES)


def read_text(text: str, *, as_yaml: bool) -> Written:
    """The value of a file's text. Raises Invalid naming line and column."""
    try:
        return Written(_read_yaml(text) if as_yaml else json.loads(
            text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_named_once), text)
    except json.JSONDecodeError as error:
        raise Invalid(f"line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise Invalid(f"{at}{error.problem or error.context}.") from None
    except yaml.YAMLError:
        raise Invalid("It holds characters that YAML does not allow.") from None
    except RecursionError:
        raise Invalid("It is nested too deeply.") from None
    except ValueError:  # Python reads no number of more digits
        raise Invalid("It holds a number of thousands of digits.") from None


def written_yaml(value: Any) -> str:
    """The value as YAML: keys in order, longer texts line by line, so that a change is a line of its own."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=110, default_flow_style=False)


def _refused(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _no_number(name: str) -> Any:
    raise Invalid(f"{name} is not a number.")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Invalid(f"{text[:40]} is too large a number.")
    return value


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Invalid(f"“{name[:100]}” stands twice in one object.")
        found[name] = value
    return found


def _read_yaml(text: str) -> Any:
    levels = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise _refused("aliases (*) cannot be used; write the value out", event.start_mark)
        if getattr(event, "tag", None):
            raise _refused("tags (!) cannot be used", event.start_mark)
        levels += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if levels > MOST_LEVELS:
            raise _refused("this is nested too deeply", event.start_mark)
    return yaml.load(text, Loader=_Loader)


class _Loader(yaml.SafeLoader):
    """Reads JSON's values; keys are the texts that stand there."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused("this is not a key", key.start_mark)
            if key.value in found:
                raise _refused(f"“{key.value}” stands here twice", key.start_mark)
            found[key.value] = self.construct_object(value, deep=deep)
        return found


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    try:
        return _finite(node.value)
    except Invalid as error:
        raise _refused(error.message.rstrip("."), node.start_mark) from None


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    try:
        return int(node.value)
    except ValueError:
        raise _refused("this number has thousands of digits", node.start_mark) from None


_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor("tag:yaml.org,2002:int", _whole)


class _Dumper(yaml.SafeDumper):
    """Writes so that neither this reader nor one of older YAML takes a text for anything else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


for _kind, (_pattern, _first) in _PLAIN.items():
    for _side in (_Loader, _Dumper):
        _side.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"^(?:{_pattern})$"),
                                    [*(_first.replace("\0", "")), *([""] if "\0" in _first else [])])
_Dumper.add_representer(str, _text)


def _into(node: Any, name: str) -> tuple[int, Any] | None:
    """The line and the node of one part of a place; None where there is none."""
    if isinstance(node, yaml.MappingNode):
        return next(((key.start_mark.line, value) for key, value in node.value if key.value == name), None)
    if isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
        return node.value[int(name)].start_mark.line, node.value[int(name)]
    return None
