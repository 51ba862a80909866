"""What travels with the builder's form from change to change?

Owns the state of one editing session: the draft, the rules before and after it (undo and redo), the version its author
has seen, its name. Everything travels in the form, so that nothing is lost when the server restarts and two tabs never
meet. The promise: a command that cannot be done leaves the draft as it was filled in.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import Invalid, WinbackError
from segments.language.conditions import Rule
from segments.language.rules import parse_rule
from web.builder import draft as trees
from web.builder.comparing import operator_of
from web.builder.draft import Group, Line, Path, path_text, read_path
from web.builder.lines import NEW, Around, read_line
from web.builder.parts import Fields

MOST_STEPS = 40
MOST_KEPT_CHARACTERS = 200_000

Form = Mapping[str, Sequence[str]]


@dataclass
class State:
    """One draft under edit. `key` is empty for a new segment; `seen_version` is the newest its author has seen."""

    draft: Group
    key: str = ""
    name: str = ""
    new_key: str = ""
    seen_version: int = 0
    past: list[str] = field(default_factory=list)
    future: list[str] = field(default_factory=list)
    open_chip: str = ""
    language: str = "en"
    json_text: str | None = None
    json_problem: str | None = None
    shown: str = ""
    lefts: str = ""
    draw: int = 0
    page: str = ""
    """How the open page calls itself when it asks for figures; "" asks for nobody in particular."""

    @property
    def rule_text(self) -> str:
        """The draft as the form carries it."""
        return written(self.draft)

    def rule(self) -> Rule:
        """The draft as a checked rule. Raises Invalid, naming the place."""
        return parse_rule(self.draft.to_json())


def written(draft: Group) -> str:
    """A draft as compact JSON."""
    return json.dumps(draft.to_json(), ensure_ascii=False, separators=(",", ":"))


def laid_out(draft: Group) -> str:
    """A draft as JSON for people."""
    return json.dumps(draft.to_json(), ensure_ascii=False, indent=2)


def state_of(form: Form, around: Around) -> State:
    """The state a form carries, with what was filled in taken over. Raises Invalid when the form was tampered with."""

    def one(name: str, otherwise: str = "") -> str:
        found = form.get(name)
        return found[0] if found else otherwise

    draft = trees.read_draft(one("rule", '{"all":[]}'))
    before = written(draft)
    state = State(
        draft=draft, key=one("key").replace("\0", ""), name=one("name").replace("\0", "").strip(),
        new_key=one("new_key").strip(),
        seen_version=_whole(one("seen_version", "0")), past=_texts(one("past")), future=_texts(one("future")),
        open_chip=one("open"), language="de" if one("language") == "de" else "en", shown=one("shown"),
        lefts=one("lefts"), draw=_whole(one("draw", "0")), page=one("page")[:40],
    )
    _take_over(state, form, around)
    if state.rule_text != before:
        _remember(state, before)
    return state


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _texts(text: str) -> list[str]:
    try:
        found = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return []
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def _take_over(state: State, form: Form, around: Around) -> None:
    lines: dict[str, dict[str, Sequence[str]]] = {}
    for name, values in form.items():
        prefix, _, rest = name.partition("-")
        if rest and prefix.startswith("r"):
            lines.setdefault(prefix[1:], {})[rest] = values
    for place, sent in lines.items():
        try:
            row = trees.at(state.draft, read_path(place))
        except Invalid:
            continue  # a field of a line that another tab of history does not have
        if isinstance(row, Line):
            read_line(row, Fields(sent), around)
        elif sent.get("mode", [""])[0] in trees.MODES:
            row.mode = sent["mode"][0]


def _remember(state: State, before: str) -> None:
    state.past = [*state.past, before][-MOST_STEPS:]
    while state.past and sum(map(len, state.past)) > MOST_KEPT_CHARACTERS:
        del state.past[0]
    state.future = []


def command(state: State, text: str, form: Form) -> None:
    """Do one command of the builder ("delete:2.0"). Raises Invalid when it cannot be done; the draft then stays."""
    verb, _, rest = text.partition(":")
    if verb in ("undo", "redo"):
        _travel(state, back=verb == "undo")
        return
    if verb == "json":
        _take_json(state, form.get("json", [""])[0])
        return
    if verb == "language":
        state.language = "de" if rest == "de" else "en"
        return
    if verb == "done":
        state.open_chip = ""
        return
    if verb == "draw":
        state.draw += 1
        return
    act = _ACTS.get(verb)
    if act is None:
        return  # only the fields were sent
    before = state.rule_text
    place, _, what = rest.partition(":")
    try:
        act(state, read_path(place), what)
    except WinbackError:
        state.draft = trees.read_draft(before)
        raise
    if state.rule_text != before:
        _remember(state, before)


def _travel(state: State, *, back: bool) -> None:
    source, target = (state.past, state.future) if back else (state.future, state.past)
    if not source:
        raise Invalid("There is nothing to undo." if back else "There is nothing to do again.")
    now = state.rule_text
    state.draft = trees.read_draft(source.pop())
    target.append(now)
    state.open_chip = ""


def _take_json(state: State, text: str) -> None:
    """Replace the draft by written JSON; what cannot be read stays in its field with the reason."""
    before = state.rule_text
    try:
        if len(text) > 2_000_000:
            raise Invalid("This is longer than a rule may be.", place="rule")
        value = trees.read_json(text)
        parse_rule(value)
        state.draft = trees.draft_of(value)
    except Invalid as error:
        state.json_text = text
        message = error.message[:1].upper() + error.message[1:]
        where = error.place if error.place and not error.place.startswith("line ") else ""
        state.json_problem = f"{where}: {message}" if where else message
        return
    state.open_chip = ""
    if state.rule_text != before:
        _remember(state, before)


def _add(state: State, path: Path, what: str) -> None:
    if what == "group":
        row: Group | Line = Group("any", [Line(copy.deepcopy(NEW["bought"][1]))])
    elif what in NEW:
        row = Line(copy.deepcopy(NEW[what][1]))
    else:
        raise Invalid("There is no such condition.")
    place = trees.add(state.draft, path, row)
    state.open_chip = "" if isinstance(row, Group) else f"{path_text(place)}-{_FIRST_CHIP.get(what, 'test')}"


_FIRST_CHIP = {
    "bought": "where", "not_bought": "where", "first_order": "where", "share": "where", "contact": "where",
    "relation": "where", "sequence": "bought", "event": "event", "near": "km", "score": "score", "customer": "field",
    "consent": "channel", "prefers": "channels", "segment": "segment", "sample": "percent",
}
"""What was added -> the chip to open first; of others the comparison."""


def _delete(state: State, path: Path, _what: str) -> None:
    trees.delete(state.draft, path)
    state.open_chip = ""


def _copy(state: State, path: Path, _what: str) -> None:
    trees.duplicate(state.draft, path)
    state.open_chip = ""


def _up(state: State, path: Path, _what: str) -> None:
    trees.move(state.draft, path, -1)


def _down(state: State, path: Path, _what: str) -> None:
    trees.move(state.draft, path, 1)


def _negate(state: State, path: Path, _what: str) -> None:
    trees.negate(state.draft, path)


def _wrap(state: State, path: Path, _what: str) -> None:
    trees.wrap(state.draft, path)
    state.open_chip = ""


def _unwrap(state: State, path: Path, _what: str) -> None:
    trees.unwrap(state.draft, path)
    state.open_chip = ""


def _swap(state: State, path: Path, _what: str) -> None:
    """Put the two ends of a "between" into their order."""
    row = trees.at(state.draft, path)
    if isinstance(row, Line):
        operator = operator_of(row.rule)
        ends: Any = row.rule.get(operator)
        if operator == "between" and isinstance(ends, list) and len(ends) == 2:
            row.rule[operator] = ends[::-1]


_ACTS: dict[str, Callable[[State, Path, str], None]] = {
    "add": _add, "delete": _delete, "copy": _copy, "up": _up, "down": _down, "not": _negate, "group": _wrap,
    "ungroup": _unwrap, "swap": _swap,
}
