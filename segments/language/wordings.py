"""How is a measure described: what kind of answer it gives and how it is said?

Owns the form of an entry in the tables of measures (segments/language/order_measures.py, segments/language/fields.py),
so that everything parser, compiler, sentences and builder must know about a measure stands in its one entry; and the
form of a clause.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MeasureKind = Literal["number", "cents", "share", "instant"]


@dataclass(frozen=True)
class Wording:
    """How a measure is said in one language, as what follows "customers who".

    Of the names in braces, `amount` is the number with its unit, `what` the goods, `where` what else must hold and
    `when` the window; a name that has nothing to say is left out.
    """

    said: str
    none: str = ""
    """For a count of 0; for an answer that can be missing, the denial of `said`."""
    never: str = ""
    """For a count of 0 over the whole history; without it `none`."""
    units: tuple[str, str, str] | None = None
    """What is counted: at least one of them, one, several. Without it, times are counted."""
    goods: str = "{}"
    """How goods are added: "on furniture"."""
    percent: bool = False
    """Whether the number is said as a percentage."""
    known: str = ""
    unknown: str = ""
    """For is_set and is_not_set, where having orders is not enough for an answer."""


@dataclass(frozen=True)
class Measure:
    """What is asked of a list of things: a number (0 when there are none) or a date (missing when there are none).

    `words` holds its wording by language, `bought` the one that is used instead when goods are named.
    """

    name: str
    kind: MeasureKind
    words: Mapping[str, Wording]
    bought: Mapping[str, Wording] | None = None
    lines: bool = False
    """Whether the answer needs the single lines, not only the orders."""
    money: bool = False
    """Whether amounts are added up, which must then be of one currency."""
    missing: bool = False
    """Whether the answer can be missing."""
    single: bool = True
    """Whether it can be asked of one order, chosen by `nth`."""
    needs_where: bool = False


@dataclass(frozen=True)
class Clause:
    """What follows "customers who".

    `negative` says that something is not so. `about` is what was done at least once, or not at all: a clause that
    denies for another window what the one before it said needs to say no more than `short`.
    """

    text: str
    negative: bool = False
    about: object = None
    short: str = ""
    group: bool = False
