"""The house's arrows: a room imports only itself and lower floors, never strangers on its own floor, never up."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = [["core"], ["customers"], ["coupons", "delivery"], ["segments"], ["campaigns"], ["journeys"], ["reporting"],
          ["web", "winback"]]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
SEGMENT_FLOORS = [["models", "dialects"], ["language"], ["saving", "compiling"], ["telling", "engines"],
                  ["choosing", "figures", "membership", "proposals"]]
JOURNEY_FLOORS = [["models"], ["pruning", "responding", "states", "uses", "visits"], ["graphs"], ["arms", "exits"],
                  ["entry", "telling"], ["walk"], ["editing"], ["forecasting"]]
COUPON_FLOORS = [["models"], ["locking", "refusals", "states"], ["offers"], ["codes"], ["checks", "till"]]
FOLDERS_OF_FILES = {"plays"}
# The command line and the migrations wire rooms together; the two doors may share what starts them.
DOORS = {"web", "winback"}


@cache
def _nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def _modules(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append((node.lineno, node.module))
    return found


def _imports(path: Path) -> list[tuple[int, str]]:
    return [(line, module.split(".")[0]) for line, module in _modules(path)]


def _violations(room: str) -> list[str]:
    wrong = []
    for path in sorted((ROOT / room).rglob("*.py")):
        for line, target in _imports(path):
            if target not in FLOOR or target == room:
                continue
            if FLOOR[target] < FLOOR[room] or (room == "winback" and target == "web"):
                continue
            wrong.append(f"{path.relative_to(ROOT)}:{line} imports {target}")
    return wrong


@pytest.mark.parametrize("room", sorted(FLOOR))
def test_a_room_imports_only_lower_floors(room: str) -> None:
    assert _violations(room) == []


@pytest.mark.parametrize(("house", "inside"), [
    ("coupons", COUPON_FLOORS), ("segments", SEGMENT_FLOORS), ("journeys", JOURNEY_FLOORS)])
def test_inside_the_large_rooms_the_arrows_point_one_way_too(house: str, inside: list[list[str]]) -> None:
    """`language` may look at `models`; strangers on one floor (`telling`, `engines`) do not know each other."""
    floors = {room: number for number, rooms in enumerate(inside) for room in rooms}
    wrong = []
    for path in sorted((ROOT / house).rglob("*.py")):
        own = path.relative_to(ROOT / house).parts[0].removesuffix(".py")
        for line, target in _modules(path):
            of, _, rest = target.partition(".")
            room = rest.partition(".")[0]
            if of == house and room != own and floors[room] >= floors[own]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {target}")
    assert wrong == []
    standing = {path.stem for path in (ROOT / house).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert standing - {"__init__", "__pycache__"} - FOLDERS_OF_FILES == set(floors)


def test_no_room_imports_the_tests_and_only_doors_read_the_clock_or_the_environment() -> None:
    wrong = []
    for room in FLOOR:
        for path in (ROOT / room).rglob("*.py"):
            wrong += [f"{path}:{line}" for line, target in _imports(path) if target == "tests"]
            if room in DOORS or path.name == "clock.py":
                continue
            for node in _nodes(path):
                if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "utcnow"):
                    wrong.append(f"{path}:{node.lineno} reads {node.attr}")
                if (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "now"
                        and isinstance(node.func.value, ast.Name) and node.func.value.id == "datetime"):
                    wrong.append(f"{path}:{node.lineno} reads the clock")
    assert wrong == []


def test_relative_imports_are_not_used() -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for room in FLOOR for path in (ROOT / room).rglob("*.py")
        for node in _nodes(path)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert wrong == []
