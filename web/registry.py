"""Which pages, resources and hooks does this application serve?

Owns the discovery of blueprints: every module in `web/pages`, `web/api`, `web/public` and `web/hooks` that has a
`blueprint` is served; the folder decides who may ask (see web/security/access.py). The promise: a route outside these
folders is refused, so nothing is open by accident.
"""

import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from types import ModuleType
from typing import Literal

import flask_smorest
from flask import Blueprint, Flask, current_app
from sqlalchemy.orm import Session

Door = Literal["pages", "api", "public", "hooks"]
DOORS: tuple[Door, ...] = ("pages", "api", "public", "hooks")


@dataclass(frozen=True)
class Found:
    """One answer of the jump box: a word, what it is, where it leads."""

    label: str
    hint: str
    href: str
    icon: str = "arrow-right"


@dataclass
class Registry:
    """What was found: the door of each blueprint, counters for the side bar, finders for the jump box."""

    doors: dict[str, Door] = field(default_factory=dict)
    counters: dict[str, Callable[[Session, datetime], int]] = field(default_factory=dict)
    finders: list[Callable[[Session, str], Iterable[Found]]] = field(default_factory=list)


def registry() -> Registry:
    """The registry of the current application."""
    found = current_app.extensions["winback.registry"]
    assert isinstance(found, Registry)
    return found


def modules_of(door: Door) -> list[ModuleType]:
    """Import every module of one door, in the order of their names."""
    package = import_module(f"web.{door}")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    return [import_module(f"web.{door}.{name}") for name in names if not name.startswith("_")]


def register_all(app: Flask, api: flask_smorest.Api) -> Registry:
    """Register every blueprint that the four folders hold; returns what was found."""
    found = Registry()
    for door in DOORS:
        for module in modules_of(door):
            blueprint = getattr(module, "blueprint", None)
            if not isinstance(blueprint, Blueprint):
                continue
            if blueprint.name in found.doors:
                pass  # one subject may spread its pages over several files
            elif isinstance(blueprint, flask_smorest.Blueprint):
                api.register_blueprint(blueprint)
            else:
                app.register_blueprint(blueprint)
            found.doors[blueprint.name] = door
            if hasattr(module, "nav_count"):
                found.counters[blueprint.name] = module.nav_count
            if hasattr(module, "find"):
                found.finders.append(module.find)
    app.extensions["winback.registry"] = found
    return found
