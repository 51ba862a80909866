"""Towers of rules, hostile words and any order of clicking: the statement stays one, parameterised and answered."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite

from core.database import Database
from core.errors import Invalid
from segments.compiling.compile import compile_rule
from segments.engines.duckdb import render
from segments.engines.members import count, matching, member_ids, prepare
from segments.language.rules import MAX_DEPTH, parse_rule
from segments.saving.saved import resolved, save_segment
from segments.telling.evidence import why_in
from segments.telling.words import sentence
from tests.segments.engines.test_engines_agree import QUIET
from tests.segments.naive import holds
from tests.segments.population import AS_OF, load, people

CROWD = people(60, seed=5)
RUNGS: list[dict[str, Any]] = [
    {"customer": "country", "is": "DE"}, {"orders": "count", "window": {"last_days": 365}, "at_least": 1},
    {"orders": "revenue", "less_than": 150_000}, {"preferred_channel": "email"}, {"consent": "email", "is": "granted"},
    {"orders": "count", "nth": -1, "where": {"category": ["lamps"]}, "at_least": 1},
    {"bought": {}, "then": {}, "within_days": 90}, {"customer": "dunning_level", "at_least": 1},
    {"orders": "returned_share", "at_most": 0.2}, {"contacts": "count", "at_most": 1},
]


def _tower(levels: int) -> dict[str, Any]:
    """Groups within groups, all and any by turns, now and then denied, a condition beside each."""
    rule = RUNGS[0]
    for level in range(levels - 1):
        rung = RUNGS[level % len(RUNGS)]
        if level % 9 == 8:
            rule = {"not": rule}
        else:
            rule = {"all" if level % 2 else "any": [rule, rung] if level % 4 else [rung, rule]}
    return rule


@pytest.mark.sqlite_first
def test_a_rule_of_two_hundred_levels_is_answered_and_said(database: Database) -> None:
    load(database, CROWD)
    for levels in (25, MAX_DEPTH):
        rule = _tower(levels)
        read = parse_rule(rule)
        assert parse_rule(read.to_json()) == read and hash(read) == hash(parse_rule(rule))
        expected = [person.id for person in CROWD if holds(rule, person, AS_OF)]
        batch = [person.id for person in CROWD[::2]]
        with database.writing() as session:
            assert member_ids(session, read, as_of=AS_OF) == expected
            assert count(session, read, as_of=AS_OF) == len(expected)
            assert matching(session.connection(), read, batch, as_of=AS_OF) == set(expected) & set(batch)
            assert why_in(session, read, batch[:2], as_of=AS_OF)
            save_segment(session, f"tower-{levels}", name="Tower", rule=read, now=AS_OF)
            assert resolved(session.connection(), parse_rule({"segment": f"tower-{levels}"})) == read
        for language in ("en", "de"):
            assert sentence(read, language=language)
        assert render(prepare(read, summed=True).counting).text


@pytest.mark.sqlite_first
def test_segments_within_segments_add_their_levels_up(database: Database) -> None:
    load(database, CROWD)
    with database.writing() as session:
        below: dict[str, Any] = RUNGS[0]
        for name, levels in (("ground", 100), ("first", 90), ("second", 50)):
            rule = below
            for _ in range(levels):
                rule = {"not": rule}
            if name == "second":
                with pytest.raises(Invalid, match="nested more than 200 levels") as refused:
                    save_segment(session, name, name=name, rule=parse_rule(rule), now=AS_OF)
                assert refused.value.place == "segment"
            else:
                save_segment(session, name, name=name, rule=parse_rule(rule), now=AS_OF)
            below = {"segment": name}
        wide = {"all": [{"segment": "ground"}] * 400}
        assert count(session, parse_rule(wide), as_of=AS_OF) == count(
            session, parse_rule({"segment": "ground"}), as_of=AS_OF)


PARTS = [
    {"customer": "country", "in": ["DE", "AT"]}, {"consent": "email", "is": "granted"},
    {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 365}, "at_least": 1},
    {"not": {"orders": "count", "where": {"category": ["furniture"]}, "window": {"last_days": 90}, "at_least": 1}},
    {"orders": "revenue", "at_least": 5_000}, {"orders": "count", "at_most": 3},
    {"orders": "count", "nth": 1, "where": {"category": ["lamps"]}, "at_least": 1},
    {"orders": "revenue", "nth": 1, "where": {"category": ["lamps"]}, "at_least": 100},
    {"any": [{"bought": {}, "then": {}, "within_days": 30}, {"orders": "days_since_last", "at_most": 90}]},
]


@seed(11)
@settings(max_examples=25, deadline=None, database=None, suppress_health_check=QUIET)
@given(order=st.permutations(PARTS), mode=st.sampled_from(["all", "any"]))
def test_whatever_order_the_marketer_clicked_the_statement_is_the_same(order: list[Any], mode: str) -> None:
    told = _text({mode: order})
    assert told == _text({mode: PARTS})
    assert told == _text({mode: [{mode: order[:4]}, {"not": {"not": {mode: order[4:]}}}, order[0]]})


def _text(rule: dict[str, Any]) -> str:
    return render(compile_rule(parse_rule(rule), as_of=AS_OF)).text


def test_what_is_cheap_comes_first_and_tests_over_the_same_rows_share_one_pass() -> None:
    told = _text({"all": PARTS})
    stages = ("addresses.country", "order_lines.category", "consents.channel", "HAVING sum(orders.total_cents)",
              "max(orders.ordered_at)", "row_number()", "sum(order_lines.total_cents)")
    assert [told.index(stage) for stage in stages] == sorted(told.index(stage) for stage in stages)
    # Revenue and number of all orders: one pass. Two questions about the first order: one pass, one ranking.
    assert told.count("orders.total_cents") == 1 and told.count("row_number()") == 1
    # Each stage, the ranking too, looks only at the people whom the stage before it left.
    ranking = told[told.index("row_number()"):]
    assert told.count("FROM customers") == 1 and ranking.count("customer_id IN (SELECT anon_1.id") == 2
    several = {"any": [{"orders": measure, "nth": -1, "at_least": 1} for measure in ("count", "revenue", "quantity")]}
    assert _text(several).count("row_number()") == 1


LETTERS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
HOSTILE = st.sampled_from(["'", '"', "--", "; DROP TABLE customers", "%s", "%(x)s", ":x", "$1", "\\", "{}", "?", "\n"])
EVIL = st.builds("{}{}zqx{}".format, LETTERS, HOSTILE, LETTERS)


def _told(word: str) -> dict[str, Any]:
    """Every place of the rule language that takes a text."""
    some = {"is": word}
    key = word.translate(str.maketrans("", "", '"\\')) if word.isprintable() else "key"
    where = {name: [word] for name in ("category", "sku", "brand", "shop", "coupon", "status", "via", "currency")}
    return {"any": [
        *({"customer": name, operator: word} for name in ("first_name", "city", "attributes.x")
          for operator in ("is", "is_not", "contains", "starts_with")),
        {"customer": f"attributes.{key}", **some}, {"customer": "city", "in": [word, word + "1"]},
        {"customer": "country", "not_in": [f"{word}{number}" for number in range(30)]},
        {"orders": "count", "where": where, "at_least": 1}, {"orders": "margin", "where": where, "at_least": 1},
        {"orders": "revenue_share", "where": where, "at_least": 0.5},
        {"orders": "count", "nth": 2, "where": where, "at_least": 1},
        {"bought": where, "then_not": where, "within_days": 3},
        {"contacts": "count", "where": {"kind": [word], "channel": [word], "status": [word]}, "at_least": 1},
        {"messages": "opened", "where": {"campaign": word, "arm": [word], "step": [word]}, "at_least": 1},
        {"coupons": "redeemed", "where": {"campaign": word, "offer": word}, "at_least": 1},
        {"sample": {"percent": 10, "salt": word}},
    ]}


@pytest.fixture
def spied(database: Database) -> Iterator[tuple[Database, list[str]]]:
    """The database, and every statement that goes to it."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    load(database, CROWD[:5])
    event.listen(database.engine, "before_cursor_execute", note)
    yield database, seen
    event.remove(database.engine, "before_cursor_execute", note)


@seed(12)
@settings(max_examples=8, deadline=None, database=None, suppress_health_check=QUIET)
@given(word=EVIL)
def test_no_part_of_a_word_changes_the_text_of_a_statement(word: str) -> None:
    for evil, plain in zip(_told(word)["any"], _told("plain")["any"], strict=True):
        statements = [compile_rule(parse_rule(rule), as_of=AS_OF) for rule in (evil, plain)]
        for dialect in (sqlite.dialect(), postgresql.dialect()):
            one, other = (str(statement.compile(dialect=dialect)) for statement in statements)
            assert one == other, evil
        one, other = (render(statement).text for statement in statements)
        assert one == other and "zqx" not in one, evil


@seed(13)
@settings(max_examples=5, deadline=None, database=None, suppress_health_check=QUIET)
@given(word=EVIL)
def test_no_part_of_a_word_is_seen_by_a_spy_on_the_statements(spied: tuple[Database, list[str]], word: str) -> None:
    database, seen = spied
    seen.clear()
    rule = parse_rule(_told(word))
    assert "zqx" in json.dumps(rule.to_json())
    with database.reading() as session:
        assert count(session, rule, as_of=AS_OF) >= 0
        assert matching(session.connection(), rule, [1, 2], as_of=AS_OF) <= {1, 2}
        assert set(why_in(session, rule, [1, 2], as_of=AS_OF)) == {1, 2}
    assert len(seen) >= 4 and not any("zqx" in text for text in seen)
