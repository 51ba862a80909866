"""Rules read aloud, and the line that speaks for a person."""

from datetime import timedelta
from typing import Any

import pytest

from core.database import Database
from segments.phrases import LABELS, PHRASES
from segments.rules import parse_rule
from segments.words import sentence, why_in
from tests.segments.naive import Line, Person, Purchase
from tests.segments.population import AS_OF, load
from tests.segments.test_engines_agree import CUSTOMER, FACTS, TESTS, WHERES, WINDOWS, _orders

LAPSED = {"all": [
    {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 365}, "at_least": 1},
    {"not": {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 90}, "at_least": 1}},
    {"any": [{"customer": "country", "in": ["DE", "AT"]}, {"consent": "email", "is": "granted"}]},
    {"orders": "revenue", "where": {"currency": ["EUR"]}, "at_least": 150_000},
]}


def test_a_rule_is_one_sentence_in_marketers_words() -> None:
    assert sentence(parse_rule(LAPSED)) == (
        "People for whom number of orders in furniture in the last 365 days is at least 1 and not (number of orders in "
        "furniture in the last 90 days is at least 1) and (country is one of DE or AT or the newest word on e-mail is "
        "granted) and revenue in EUR is at least €1,500."
    )
    assert sentence(parse_rule({"all": []})) == "Everybody."
    assert sentence(parse_rule({"any": []})) == "Nobody."


def test_a_rule_is_one_sentence_in_german_too() -> None:
    assert sentence(parse_rule(LAPSED["all"][3]), language="de") == (
        "Alle, für die gilt: Umsatz in EUR ist mindestens 1.500 €.")


@pytest.mark.parametrize("language", sorted(PHRASES))
def test_every_rule_has_a_sentence_in_every_language(language: str) -> None:
    wheres: list[Any] = [*WHERES, {"campaign": ["spring"]}]
    rules = [*CUSTOMER, *FACTS, {"segment": "vip"}, {"messages": "opened", "where": wheres[-1], "at_least": 1},
             {"coupons": "redeemed", "where": {"offer": ["ten"]}, "window": {"last_days": 1_000}, "equals": 0}]
    rules += [_orders(measure, WHERES[number % len(WHERES)], WINDOWS[number % len(WINDOWS)], test)
              for measure, tests in TESTS.items() for number, test in enumerate(tests)]
    for rule in rules:
        said = sentence(parse_rule({"all": [rule]}), language=language)
        assert said.endswith(".") and "{" not in said and "None" not in said


def test_every_language_has_the_same_phrases() -> None:
    assert {frozenset(phrases.words) for phrases in PHRASES.values()} == {frozenset(PHRASES["en"].words)}
    assert set(LABELS) == set(PHRASES) - {"en"}


def test_the_evidence_names_orders_worth_and_the_last_thing_bought(database: Database) -> None:
    def bought(days: int, category: str, cents: int) -> Purchase:
        return Purchase(AS_OF - timedelta(days=days), [Line(category, "a", None, 1000, cents, cents)])

    load(database, [
        Person(1, "one", orders=[bought(19, "furniture", 121_400), bought(200, "lamps", 100_000),
                                 bought(120, "furniture", 100_000), bought(-1, "furniture", 7)]),
        Person(2, "two", orders=[bought(400, "lamps", 1_999)]),
        Person(3, "three"),
    ])
    with database.reading() as session:
        why = why_in(session, parse_rule(LAPSED), [3, 1, 2], as_of=AS_OF)
        assert why == {1: "3 orders worth €3,214; last furniture 12 Mar", 2: "1 order worth €19.99", 3: "no orders yet"}
        german = why_in(session, parse_rule(LAPSED), [1], as_of=AS_OF, language="de")
        assert german == {1: "3 Bestellungen für 3.214 €; zuletzt furniture 12. März"}
