"""Codes: unguessable, checked, forgiving when typed."""

import itertools
import os

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.codes import ALPHABET, LENGTH, canonical, check, grouped, new_codes


def _codes(count: int) -> list[str]:
    generator = np.random.default_rng(7)
    return new_codes(count, random_bytes=lambda size: generator.bytes(size))


def test_every_single_wrong_symbol_is_noticed() -> None:
    for code in _codes(20):
        for place, symbol in itertools.product(range(LENGTH), ALPHABET):
            wrong = code[:place] + symbol + code[place + 1:]
            assert check(wrong) == (wrong == code)


def test_every_swap_of_two_symbols_is_noticed_neighbours_or_not() -> None:
    for code in _codes(200):
        for left, right in itertools.combinations(range(LENGTH), 2):
            symbols = list(code)
            symbols[left], symbols[right] = symbols[right], symbols[left]
            assert check("".join(symbols)) == (symbols[left] == symbols[right])


@given(st.binary(min_size=12, max_size=12), st.integers(0, LENGTH - 2), st.integers(0, LENGTH - 1),
       st.integers(1, 31))
def test_errors_in_any_code_are_noticed(drawn: bytes, swap: int, place: int, change: int) -> None:
    [code] = new_codes(1, random_bytes=lambda _size: drawn)
    assert check(code)
    wrong = code[:place] + ALPHABET[(ALPHABET.index(code[place]) + change) % 32] + code[place + 1:]
    assert not check(wrong)
    swapped = code[:swap] + code[swap + 1] + code[swap] + code[swap + 2:]
    assert check(swapped) == (code[swap] == code[swap + 1])


def test_a_hundred_thousand_codes_differ_and_use_every_symbol_at_every_place() -> None:
    codes = new_codes(100_000, random_bytes=os.urandom)
    assert len(set(codes)) == 100_000
    assert all(len({code[place] for code in codes}) == 32 for place in range(LENGTH))
    assert all(check(code) for code in codes[:1000])


@given(st.binary(min_size=12, max_size=12))
def test_a_code_read_back_from_paper_in_any_hand_is_the_same_code(drawn: bytes) -> None:
    [code] = new_codes(1, prefix="HEY", random_bytes=lambda _size: drawn)
    shown = grouped(code)
    for typed in (shown, shown.lower(), shown.replace("0", "O").replace("1", "I"), shown.replace("1", "l"),
                  f"  {shown} ", shown.replace("-", " "), shown.replace("-", "\N{EN DASH}"), shown.replace("-", "\xa0"),
                  "\N{ZERO WIDTH SPACE}".join(shown)):
        assert canonical(typed) == code


@given(st.text())
def test_reading_is_stable_and_never_fails(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once
    assert "\x00" not in once
    check(once)
    grouped(once)


def test_codes_are_printed_in_groups_and_other_words_as_they_are() -> None:
    [code] = new_codes(1, prefix="HEY", random_bytes=lambda size: bytes(range(size)))
    assert grouped(code) == f"HEY-0123-4567-89AB{code[-1]}"
    assert grouped("SUMMER20") == "SUMMER20"
    assert not check("SUMMER20")
