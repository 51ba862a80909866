"""What is a code, how is a typed one read, and how are a million made that nobody can guess?

Owns the Crockford alphabet, the check symbol and the forgiving reading of typed codes. A generated code is an optional
prefix, 12 random symbols (60 bits) and one check symbol. The promise: every single wrong symbol and every swap of two
neighbours in those 13 is noticed. Imported and public codes carry no check symbol and are read the same way.
"""

import os
import unicodedata
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RANDOM_SYMBOLS = 12
LENGTH = RANDOM_SYMBOLS + 1
LONGEST = 64

_VALUES = {symbol: value for value, symbol in enumerate(ALPHABET)}
_LOOKS_LIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})
_SYMBOLS = np.array([ord(symbol) for symbol in ALPHABET], dtype=np.uint32)


def _times_alpha(value: int) -> int:
    """Multiply by the generator of GF(32), modulo x^5 + x^2 + 1."""
    doubled = value << 1
    return doubled ^ 0b100101 if doubled & 0b100000 else doubled


def _product(left: int, right: int) -> int:
    result = 0
    while right:
        if right & 1:
            result ^= left
        left, right = _times_alpha(left), right >> 1
    return result


def _weights() -> list[int]:
    """Distinct, non-zero: alpha^12 down to alpha^1 for the random symbols, 1 for the check symbol."""
    powers = [1]
    for _ in range(RANDOM_SYMBOLS):
        powers.append(_times_alpha(powers[-1]))
    return powers[::-1]


_WEIGHTS = _weights()
_WEIGHTED: NDArray[np.uint8] = np.array(
    [[_product(weight, value) for value in range(32)] for weight in _WEIGHTS], dtype=np.uint8
)


def new_codes(count: int, *, prefix: str = "", random_bytes: Callable[[int], bytes] = os.urandom) -> list[str]:
    """Make `count` codes from a source of unpredictable bytes; the same code twice is left to the unique index."""
    symbols = np.empty((count, LENGTH), dtype=np.uint8)
    drawn = np.frombuffer(random_bytes(count * RANDOM_SYMBOLS), dtype=np.uint8).reshape(count, RANDOM_SYMBOLS)
    np.bitwise_and(drawn, 31, out=symbols[:, :RANDOM_SYMBOLS])
    total = np.zeros(count, dtype=np.uint8)
    for position in range(RANDOM_SYMBOLS):
        total ^= _WEIGHTED[position][symbols[:, position]]
    symbols[:, RANDOM_SYMBOLS] = total  # weight 1: the check symbol is what makes the weighted sum zero
    written: list[str] = _SYMBOLS[symbols].view(f"U{LENGTH}").ravel().tolist()
    return [prefix + code for code in written] if prefix else written


def canonical(text: str) -> str:
    """The stored form of a code as somebody typed it.

    Spaces, dashes and invisible characters go, letters become capitals, O is read as 0 and I and L as 1 (Crockford's
    rule). U stays U: no generated code holds one, but an imported word may.
    """
    plain = _read_once(text)
    # Outside ASCII a capital may take another form once more ("ŉ" becomes two letters); it settles after a few rounds.
    for _round in range(0 if plain.isascii() else 4):
        plain = _read_once(plain)
    return plain


def _read_once(text: str) -> str:
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    if not plain.isalnum():
        plain = "".join(symbol for symbol in plain if not _is_separator(symbol))
    return plain.upper().translate(_LOOKS_LIKE)


def _is_separator(symbol: str) -> bool:
    category = unicodedata.category(symbol)
    return category[0] in "ZC" or category == "Pd" or symbol == "\N{MINUS SIGN}"


def check(code: str) -> bool:
    """Whether the last 13 symbols of a canonical code carry a right check symbol."""
    values = [_VALUES.get(symbol, -1) for symbol in code[-LENGTH:]]
    if len(values) < LENGTH or -1 in values:
        return False
    total = 0
    for position, value in enumerate(values):
        total ^= int(_WEIGHTED[position][value])
    return total == 0


def grouped(code: str) -> str:
    """A generated code as it is printed: its prefix, then 4-4-5 symbols; other codes stay as they are."""
    if not check(code):
        return code
    prefix, body = code[:-LENGTH], code[-LENGTH:]
    parts = [body[:4], body[4:8], body[8:]]
    return "-".join([prefix, *parts] if prefix else parts)


def pattern_codes(count: int, pattern: str, *, random_bytes: Callable[[int], bytes] = os.urandom) -> list[str]:
    """Make `count` canonical codes of a pattern: each # a random symbol, the rest as it stands, separators left out."""
    plain = "".join(mark if mark == "#" else canonical(mark) for mark in pattern)
    free = plain.count("#")
    drawn = np.frombuffer(random_bytes(count * free), dtype=np.uint8).reshape(count, free) & 31
    symbols = np.empty((count, len(plain)), dtype=np.uint32)
    column = 0
    for place, mark in enumerate(plain):
        if mark == "#":
            symbols[:, place] = _SYMBOLS[drawn[:, column]]
            column += 1
        else:
            symbols[:, place] = ord(mark)
    written: list[str] = symbols.view(f"U{len(plain)}").ravel().tolist()
    return written
