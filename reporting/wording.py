"""How do reports write numbers in sentences?

Owns the spelling of counts, rates, points and amounts inside the sentences this room makes, as the house writes them:
"8.6 %", "+3.2 points", "€1,500", "110 to 398", a true minus, no-break spaces inside a value. What is undefined is
"unknown".
"""

import math

from core.money import MINUS, NBSP, amount_words

UNKNOWN = "unknown"


def number(value: float, *, decimals: int = 0, signed: bool = False) -> str:
    """A grouped number: "8,399"; unknown when undefined."""
    if not math.isfinite(value):
        return UNKNOWN
    rounded = round(value, decimals) + 0.0  # no minus before a 0
    sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return f"{sign}{abs(rounded):,.{decimals}f}"


def percent(rate: float) -> str:
    """A rate 0..1 with one decimal: "8.6 %"."""
    return f"{number(rate * 100, decimals=1)}{NBSP}%" if math.isfinite(rate) else UNKNOWN


def points(difference: float) -> str:
    """A difference of rates: "+3.2 points"."""
    return f"{number(difference * 100, decimals=1, signed=True)}{NBSP}points" if math.isfinite(difference) else UNKNOWN


def amount(cents: float, currency: str, *, signed: bool = False) -> str:
    """An amount of money: whole from 100 on ("€1,500"), with its minor units below ("€41.20")."""
    if not math.isfinite(cents):
        return UNKNOWN
    return amount_words(cents, currency, minor="small", signed=signed)


def span(low: str, high: str) -> str:
    """Two ends with their level: "(95 %: 110 to 398)"; a shared unit is written once."""
    unit = low.rpartition(NBSP)[2]
    if NBSP in low and high.endswith(NBSP + unit) and not unit[:1].isdigit():
        low = low.removesuffix(NBSP + unit)
    return f"(95{NBSP}%: {low} to {high})"


def p_words(p_value: float) -> str:
    """A p value: "p 0.026", "p < 0.001"."""
    if not math.isfinite(p_value):
        return f"p {UNKNOWN}"
    if p_value < 0.001:
        return "p < 0.001"
    return f"p {p_value:.3f}" if p_value < 0.1 else f"p {p_value:.2f}"


def people(count: float) -> str:
    """A number of people: "1 person", "932 people"."""
    return f"{number(count)} {'person' if round(count) == 1 else 'people'}"


def listed(words: tuple[str, ...], *, last: str = "or") -> str:
    """Words as a list: "furniture, lighting or textiles"."""
    return " ".join((*", ".join(words[:-1]).split(" "), last, words[-1])) if len(words) > 1 else "".join(words)
