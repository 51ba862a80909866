"""Events, relations, scores and distances: how they are said, and what happens when a score does not exist."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from core.errors import NotComputed
from core.settings import read_settings
from core.types import to_us
from customers.scores.keeping import note_names, write_scores
from segments.engines.members import count, matching
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.telling.words import sentence, why_in
from tests.segments.naive import Person
from tests.segments.population import AS_OF, load
from tests.segments.told import RULES, Told

CART = {"events": "cart_abandoned", "window": {"last_days": 2}, "at_least": 1}
RFM = {"score": "rfm", "at_least": 500}


@pytest.mark.parametrize(("rule", "english", "german"), [
    (CART, "had the event cart_abandoned at least once in the last 2 days",
     "in den letzten 2 Tagen mindestens einmal das Ereignis cart_abandoned hatten"),
    ({"events": "visit", "where": {"page": ["/sale", "/new"], "category": "x"}, "equals": 0},
     "never had the event visit with category x with page /sale or /new",
     "nie das Ereignis visit mit category x mit page /sale oder /new hatten"),
    ({"relations": "count", "where": {"kind": ["press"], "organisation": ["The Paper"]}, "at_least": 1},
     "have a relation to us as press at The Paper", "mindestens eine Beziehung zu uns als press bei The Paper haben"),
    ({"relations": "count", "equals": 0}, "have no relation to us", "keine Beziehung zu uns haben"),
    (RFM, "have at least 500 as their RFM score", "mindestens 500 als RFM-Wert haben"),
    ({"not": {"score": "nps", "between": [3, 5.5]}}, "do not have 3 to 5.5 as their nps score",
     "nicht 3 bis 5,5 als Wert nps haben"),
    ({"score": "clv_12m", "is_set": True}, "have a known expected value of the next 12 months",
     "eine Angabe zu erwarteter Wert der nächsten 12 Monate haben"),
    ({"near": {"latitude": 52.5, "longitude": 13.4, "km": 50}}, "live within 50 km of latitude 52.5, longitude 13.4",
     "im Umkreis von 50 km um Breite 52,5, Länge 13,4 wohnen"),
    ({"near": {"store": "any", "km": 25}}, "live within 25 km of one of our stores",
     "im Umkreis von 25 km um eine unserer Filialen wohnen"),
    ({"not": {"near": {"store": "mitte", "km": 25}}}, "do not live within 25 km of the store mitte",
     "nicht im Umkreis von 25 km um die Filiale mitte wohnen"),
])
def test_every_condition_on_what_is_told_is_a_sentence(rule: dict[str, Any], english: str, german: str) -> None:
    assert sentence(parse_rule(rule)) == f"Customers who {english}."
    assert sentence(parse_rule(rule), language="de") == f"Kunden, die {german}."


def test_every_rule_on_what_is_told_writes_itself_back_and_can_be_said() -> None:
    for rule in RULES:
        read = parse_rule(rule)
        assert parse_rule(read.to_json()) == read
        for language in ("en", "de"):
            assert "{" not in sentence(read, language=language), rule


@pytest.mark.parametrize("name", ["rfm", "clv_12m", "p_alive", "churn_risk"])
def test_a_score_that_nobody_has_computed_is_an_error_and_never_an_answer(
    sqlite_database: Database, tmp_path: Path, name: str
) -> None:
    load(sqlite_database, [Person(1, "A")])
    with sqlite_database.writing() as session:
        session.connection().exec_driver_sql("DELETE FROM score_names")
    rule = parse_rule({"any": [{"all": []}, {"not": {"score": name, "at_least": 0}}]})
    questions = Questions(sqlite_database, read_settings({
        "WINBACK_HOME": str(tmp_path), "WINBACK_DATABASE_URL": sqlite_database.engine.url.render_as_string(),
        "WINBACK_SECRET_KEY": "test-secret-key-0123456789"}))
    with sqlite_database.reading() as session:
        for ask in (lambda: count(session, rule, as_of=AS_OF), lambda: questions.count(rule, as_of=AS_OF),
                    lambda: matching(session.connection(), rule, [1], as_of=AS_OF)):
            with pytest.raises(NotComputed, match=f'The score "{name}" has not been computed') as error:
                ask()
            assert error.value.reason == "score_not_computed" and error.value.place == "score"
    questions.close()


def test_a_score_is_an_error_as_of_a_day_before_it_was_first_computed(sqlite_database: Database) -> None:
    load(sqlite_database, [Person(1, "A"), Person(2, "B")])
    first = datetime(2026, 3, 1, tzinfo=UTC)
    with sqlite_database.writing() as session:
        note_names(session.connection(), {"loyal": to_us(first)}, told=False)
        write_scores(session.connection(), {(1, "loyal"): (7.0, to_us(first))})
    rule = parse_rule({"score": "loyal", "equals": 7})
    with sqlite_database.reading() as session:
        assert count(session, rule, as_of=first) == 1
        with pytest.raises(NotComputed, match="exists since 2026-03-01; as of 2026-02-28"):
            count(session, rule, as_of=first - timedelta(seconds=1))


def test_what_was_told_speaks_for_a_person(sqlite_database: Database) -> None:
    told = Told(events=[(AS_OF - timedelta(days=1), "cart_abandoned", {}), (AS_OF - timedelta(days=1), "visit", {}),
                        (AS_OF + timedelta(days=1), "cart_abandoned", {})],
                relations=[("press", "O1", "editor", None, None), ("partner", "O2", None, None, AS_OF)],
                scores={"rfm": 555})
    load(sqlite_database, [Person(1, "A", told=told, street="", latitude=52.52, longitude=13.405), Person(2, "B")])
    rule = parse_rule({"all": [CART, RFM, {"near": {"store": "any", "km": 25}},
                               {"relations": "count", "where": {"kind": ["press"]}, "at_least": 1}]})
    with sqlite_database.reading() as session:
        lines = why_in(session, rule, [1, 2], as_of=AS_OF)
        german = why_in(session, rule, [1], as_of=AS_OF, language="de")
    assert lines[2] == "no orders yet"
    assert lines[1] == "no orders yet; cart_abandoned 30 Mar; press at The Paper; RFM score 555; 0 km from mitte"
    assert german[1].endswith("cart_abandoned 30. März; press bei The Paper; RFM-Wert 555; 0 km von mitte")
