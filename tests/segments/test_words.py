"""Rules read aloud, and the line that speaks for a person."""

import itertools
import json
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, seed, settings

from core.database import Database
from segments.language.rules import parse_rule
from segments.telling.phrases import LABELS, PHRASES
from segments.telling.words import question, sentence, why_in
from tests.segments.engines.test_engines_agree import (
    CUSTOMER,
    FACTS,
    NTH,
    QUIET,
    RULES,
    SEQUENCES,
    TESTS,
    WHERES,
    WINDOWS,
    _orders,
)
from tests.segments.naive import Line, Person, Purchase, holds
from tests.segments.population import AS_OF, load, people

CROWD = people(40, seed=11)
LAPSED = {"all": [
    {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 365}, "at_least": 1},
    {"not": {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 90}, "at_least": 1}},
    {"any": [{"customer": "country", "in": ["DE", "AT"]}, {"consent": "email", "is": "granted"}]},
    {"orders": "revenue", "where": {"currency": ["EUR"]}, "at_least": 150_000},
]}


FURNITURE = {"category": ["furniture"]}


def _bought(days: int, test: dict[str, Any]) -> dict[str, Any]:
    return {"orders": "count", "where": FURNITURE, "window": {"last_days": days}, **test}


def test_a_rule_is_one_sentence_in_marketers_words() -> None:
    assert sentence(parse_rule(LAPSED)) == (
        "Customers who bought furniture at least once in the last 365 days, but not in the last 90 days, and who "
        "either live in DE or AT, or allowed e-mail, and who spent €1,500 or more in all."
    )
    for empty, english, german in (("all", "Everybody.", "Alle."), ("any", "Nobody.", "Niemand.")):
        assert sentence(parse_rule({empty: []})) == english
        assert sentence(parse_rule({empty: []}), language="de") == german


def test_a_rule_is_one_sentence_in_german_too() -> None:
    assert sentence(parse_rule(LAPSED), language="de") == (
        "Kunden, die in den letzten 365 Tagen mindestens einmal furniture gekauft haben, aber nicht in den letzten 90 "
        "Tagen, und die entweder in DE oder AT wohnen oder E-Mail erlaubt haben, und die insgesamt mindestens "
        "1.500\u00a0€ ausgegeben haben."
    )


@pytest.mark.parametrize(("rule", "english", "german"), [
    ({"orders": "count", "at_most": 3}, "placed at most 3 orders", "höchstens 3 Bestellungen aufgegeben haben"),
    ({"orders": "count", "equals": 0}, "never ordered", "nie bestellt haben"),
    (_bought(90, {"at_least": 2}), "bought furniture at least twice in the last 90 days",
     "in den letzten 90 Tagen mindestens zweimal furniture gekauft haben"),
    ({"orders": "revenue", "at_least": 150_000}, "spent 1,500 or more in all",
     "insgesamt mindestens 1.500 ausgegeben haben"),
    ({"orders": "revenue", "where": {**FURNITURE, "currency": ["EUR"]}, "less_than": 90_050},
     "spent less than €900.50 on furniture", "weniger als 900,50\u00a0€ für furniture ausgegeben haben"),
    ({"orders": "last_at", "before": "2026-03-02"}, "last ordered before 2 Mar 2026",
     "zum letzten Mal vor dem 2. März 2026 bestellt haben"),
    ({"customer": "country", "in": ["DE", "AT"]}, "live in DE or AT", "in DE oder AT wohnen"),
    ({"customer": "country", "is_not": "DE"}, "do not live in DE", "nicht in DE wohnen"),
    ({"customer": "company", "is_not_set": True}, "have no known company", "keine Angabe zu Firma haben"),
    ({"consent": "email", "is": "granted"}, "allowed e-mail", "E-Mail erlaubt haben"),
    ({"consent": "email", "not_in": ["granted", "denied"]}, "have neither allowed nor refused e-mail",
     "E-Mail weder erlaubt noch abgelehnt haben"),
    ({"preferred_channel": "letter"}, "prefer letters", "Briefe bevorzugen"),
    ({"segment": "vip"}, "are in the segment vip", "im Segment vip sind"),
    ({"not": {"segment": "vip"}}, "are not in the segment vip", "nicht im Segment vip sind"),
    ({"sample": {"percent": 10, "salt": "spring"}}, "are in a random 10 % (spring)",
     "in zufälligen 10 % (spring) sind"),
    ({"contacts": "count", "where": {"kind": ["complaint"]}, "window": {"last_days": 30}, "at_least": 1},
     "contacted us with a complaint at least once in the last 30 days",
     "sich in den letzten 30 Tagen mindestens einmal mit einer Beschwerde bei uns gemeldet haben"),
    ({"orders": "net_revenue", "where": {"currency": ["EUR"]}, "at_least": 90_000},
     "spent €900 or more after returns in all", "insgesamt nach Retouren mindestens 900\u00a0€ ausgegeben haben"),
    ({"orders": "margin", "where": FURNITURE, "window": {"last_days": 365}, "less_than": 5_000},
     "brought a margin of less than 50 with furniture in the last 365 days",
     "in den letzten 365 Tagen weniger als 50 Marge mit furniture gebracht haben"),
    ({"orders": "margin", "is_not_set": True}, "have no known margin", "keine bekannte Marge haben"),
    ({"orders": "returned_share", "at_least": 0.3}, "sent back at least 30 % of what they bought",
     "mindestens 30 % des Gekauften zurückgeschickt haben"),
    ({"orders": "returned_share", "where": FURNITURE, "window": {"last_years": 1}, "more_than": 0.125},
     "sent back more than 12.5 % of what they bought of furniture in the last year",
     "mehr als 12,5 % des Gekauften aus furniture im letzten Jahr zurückgeschickt haben"),
    ({"orders": "discount_share", "between": [0.1, 0.2]}, "saved 10 to 20 % by discounts",
     "10 bis 20 % durch Rabatte gespart haben"),
    ({"orders": "revenue_share", "where": FURNITURE, "at_least": 0.5},
     "spent at least 50 % of their money on furniture", "mindestens 50 % ihres Geldes für furniture ausgegeben haben"),
    ({"orders": "days_since_last", "at_least": 90}, "last ordered at least 90 days ago",
     "zum letzten Mal vor mindestens 90 Tagen bestellt haben"),
    ({"not": {"orders": "days_since_first", "where": FURNITURE, "less_than": 30}},
     "did not first buy furniture fewer than 30 days ago",
     "furniture nicht zum ersten Mal vor weniger als 30 Tagen gekauft haben"),
    ({"orders": "days_since_delivery", "at_most": 5}, "got their last delivery at most 5 days ago",
     "ihre letzte Lieferung vor höchstens 5 Tagen bekommen haben"),
    ({"not": {"orders": "days_since_delivery", "where": FURNITURE, "at_most": 5}},
     "did not get their last delivery of furniture at most 5 days ago",
     "ihre letzte Lieferung mit furniture nicht vor höchstens 5 Tagen bekommen haben"),
    ({"orders": "days_between", "at_most": 45}, "let at most 45 days pass between orders on average",
     "zwischen Bestellungen im Schnitt höchstens 45 Tage vergehen lassen"),
    ({"orders": "overdue", "at_least": 1.5},
     "have let at least 150 % of their usual time between orders go by",
     "mindestens 150 % ihrer üblichen Zeit zwischen Bestellungen verstreichen ließen"),
    ({"orders": "per_year", "at_least": 4}, "placed at least 4 orders a year",
     "im Jahr mindestens 4 Bestellungen aufgegeben haben"),
    ({"orders": "count", "nth": 1, "where": FURNITURE, "at_least": 1}, "bought furniture with their first order",
     "furniture mit ihrer ersten Bestellung gekauft haben"),
    ({"not": {"orders": "count", "nth": -1, "where": FURNITURE, "at_least": 1}},
     "did not buy furniture with their last order", "nicht furniture mit ihrer letzten Bestellung gekauft haben"),
    ({"orders": "count", "nth": 4, "where": {"shop": ["web"]}, "window": {"last_days": 30}, "at_least": 1},
     "placed their order number 4 in shop web in the last 30 days",
     "in den letzten 30 Tagen ihre 4. Bestellung im Shop web aufgegeben haben"),
    ({"orders": "revenue", "nth": -2, "at_least": 10_000}, "spent 100 or more with their last order but one",
     "mindestens 100 mit ihrer vorletzten Bestellung ausgegeben haben"),
    ({"bought": FURNITURE, "then": {"category": ["lamps"]}, "within_days": 60, "window": {"last_days": 365}},
     "followed a purchase of furniture in the last 365 days with one of lamps within 60 days",
     "auf einen Kauf von furniture in den letzten 365 Tagen binnen 60 Tagen einen von lamps folgen ließen"),
    ({"bought": FURNITURE, "then_not": {}, "within_days": 30},
     "left a purchase of furniture without another one for 30 days",
     "auf einen Kauf von furniture 30 Tage lang keinen weiteren folgen ließen"),
    ({"not": {"bought": {}, "then": {"shop": ["web"]}, "within_days": 1}},
     "did not follow a purchase with one in shop web within 1 day",
     "nicht auf einen Kauf binnen 1 Tag einen im Shop web folgen ließen"),
    ({"coupons": "issued", "at_least": 1}, "got a coupon", "mindestens einen Gutschein bekommen haben"),
    ({"coupons": "redeemed", "less_than": 1}, "redeemed no coupon", "keinen Gutschein eingelöst haben"),
    ({"messages": "opened", "where": {"campaign": ["spring"]}, "at_least": 2},
     "opened at least 2 messages of campaign spring", "mindestens 2 Nachrichten der Kampagne spring geöffnet haben"),
])
def test_a_condition_is_said_as_a_marketer_says_it(rule: dict[str, Any], english: str, german: str) -> None:
    assert sentence(parse_rule(rule)) == f"Customers who {english}."
    assert sentence(parse_rule(rule), language="de") == f"Kunden, die {german}."
    assert question(parse_rule(rule)) == english


def test_only_a_plain_purchase_is_followed_by_a_shortened_denial() -> None:
    twice = [_bought(365, {"at_least": 2}), _bought(90, {"equals": 0})]
    assert sentence(parse_rule({"all": twice})) == (
        "Customers who bought furniture at least twice in the last 365 days, but did not buy furniture in the last 90 "
        "days.")


def test_groups_within_groups_are_bracketed() -> None:
    b, c = {"segment": "b"}, {"segment": "c"}
    deep = {"any": [{"customer": "country", "is": "DE"}, {"all": [b, {"any": [c, {"not": {"segment": "d"}}]}]}]}
    assert sentence(parse_rule(deep)) == (
        "Customers who match one of these: (live in DE; match all of these: (are in the segment b; match one of these: "
        "(are in the segment c; are not in the segment d))).")
    assert sentence(parse_rule({"all": [b, {"not": {"all": [b, c]}}]}), language="de") == (
        "Kunden, die im Segment b sind, die aber nicht all dies erfüllen: (im Segment b sind; im Segment c sind).")
    assert sentence(parse_rule({"any": [{"all": [b, {"not": c}]}, c]})) == (
        "Customers who either are in the segment b but are not in the segment c, or are in the segment c.")


def _every_condition() -> list[dict[str, Any]]:
    orders = [_orders(measure, WHERES[number % len(WHERES)], WINDOWS[(number + shift) % len(WINDOWS)], test)
              for measure, tests in TESTS.items() for number, test in enumerate(tests) for shift in (0, 1)]
    placed = [_orders(measure, WHERES[number % len(WHERES)], None, TESTS[measure][number % len(TESTS[measure])], nth)
              for number, (nth, measure) in enumerate(itertools.product(NTH, sorted(TESTS)))]
    return [*CUSTOMER, *FACTS, *orders, *placed, *SEQUENCES]


@pytest.mark.parametrize("language", sorted(PHRASES))
def test_every_rule_has_a_sentence_in_every_language(language: str) -> None:
    rules = [*_every_condition(), {"segment": "vip"},
             {"messages": "bounced", "where": {"campaign": ["spring"], "arm": ["a"], "step": ["one"]}, "at_least": 1},
             {"coupons": "redeemed", "where": {"offer": ["ten"]}, "window": {"last_days": 1_000}, "equals": 0}]
    for rule in rules:
        for asked in (rule, {"not": rule}):
            said = sentence(parse_rule({"all": [asked]}), language=language)
            assert said.endswith(".") and not set("{}") & set(said) and "None" not in said and "  " not in said


@seed(3)
@settings(max_examples=150, deadline=None, database=None, suppress_health_check=QUIET)
@given(rule=RULES)
def test_any_nesting_has_a_sentence_in_both_languages_and_its_opposite_another(rule: dict[str, Any]) -> None:
    for language in PHRASES:
        said = sentence(parse_rule(rule), language=language)
        assert said.endswith(".") and not set("{}") & set(said)
        assert said != sentence(parse_rule({"not": rule}), language=language)


@pytest.mark.parametrize("language", sorted(PHRASES))
def test_rules_that_read_the_same_find_the_same_people(language: str) -> None:
    found: dict[str, tuple[dict[str, Any], list[int]]] = {}
    for rule in _every_condition():
        inside = _members(json.dumps(rule))
        for asked, members in ((rule, inside), ({"not": rule}, [person.id for person in CROWD
                                                                if person.id not in inside])):
            said = sentence(parse_rule(asked), language=language)
            other, others = found.setdefault(said, (asked, members))
            assert members == others, f"{said} {asked} {other}"


@cache
def _members(rule: str) -> list[int]:
    return [person.id for person in CROWD if holds(json.loads(rule), person, AS_OF)]


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
        assert german == {1: "3 Bestellungen für 3.214\u00a0€; zuletzt furniture 12. März"}


def test_the_evidence_tells_what_the_rule_asks_for_and_nothing_twice(database: Database) -> None:
    def bought(days: int, category: str, cents: int, **after: Any) -> Purchase:
        return Purchase(AS_OF - timedelta(days=days), [
            Line(category, "a", None, 2000, cents, cents, tax_rate=0.25, unit_cost_cents=1_000, **after)])

    load(database, [
        Person(1, "one", orders=[bought(100, "furniture", 10_000), bought(40, "lamps", 20_000, returned_milli=1000),
                                 bought(20, "furniture", 15_000, discount_cents=5_000)],
               contacts=[(AS_OF - timedelta(days=3), "complaint", "in", None)]),
        Person(2, "two", orders=[Purchase(AS_OF - timedelta(days=5), [Line("lamps", "a", None, 1000, 500, 500)])]),
    ])
    furniture = {"orders": "count", "where": FURNITURE, "at_least": 1}
    rule = {"any": [
        furniture, {**furniture, "where": {"category": ["furniture", "chairs"]}}, {"not": furniture},
        {"orders": "count", "nth": 1, "where": {"category": ["lamps"]}, "at_least": 1},
        {"orders": "net_revenue", "at_least": 1}, {"orders": "margin", "at_least": 1},
        {"orders": "returned_share", "at_least": 0.1}, {"orders": "overdue", "at_least": 1},
        {"contacts": "count", "where": {"kind": ["complaint"]}, "at_least": 1},
    ]}
    with database.reading() as session:
        why = why_in(session, parse_rule(rule), [1, 2], as_of=AS_OF)
        assert why[1] == (
            "3 orders worth €450; last furniture 11 Mar; last lamps 19 Feb; their first order 21 Dec 2025: furniture; "
            "€300 after returns; margin €190; 17 % sent back; an order every 40 days, the last 20 days ago; last "
            "complaint 28 Mar")
        assert why[2] == (
            "1 order worth €5.00; last lamps 26 Mar; their first order 26 Mar: lamps; €5.00 after returns; "
            "0 % sent back")
        german = why_in(session, parse_rule({"orders": "overdue", "at_least": 1}), [1], as_of=AS_OF, language="de")
        assert german[1] == "3 Bestellungen für 450\u00a0€; alle 40 Tage eine Bestellung, zuletzt vor 20 Tagen"
