"""Events, relations and scores from files."""

import json
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import Invalid
from customers.forgetting import export_customer, forget_customer
from customers.importing.properties import read_properties
from tests.customers.files import SECRET, Desk, reasons

EVENTS = "event_id,customer_id,name,at,source,properties\n"


def _properties(desk: Desk) -> list[object]:
    found = [row[0] for row in desk.rows("SELECT properties FROM events ORDER BY id")]
    return [json.loads(each) if isinstance(each, str) else each for each in found]


def test_an_event_comes_once_and_is_brought_up_to_date_by_its_number(desk: Desk) -> None:
    desk.load("events", EVENTS + 'E1,C1,cart_abandoned,2026-02-01 10:00,web,"{""cart"": 129.9, ""step"": ""2""}"\n')
    result = desk.load("events", EVENTS + 'E1,C1,cart_abandoned,2026-02-01 10:00,web,"{""cart"": 9}"\n'
                                          "E2,C2,newsletter,2026-02-02,,\n")
    assert (result.created, result.updated) == (1, 1)
    assert desk.rows("SELECT e.external_id, c.external_id, name, source FROM events e JOIN customers c"
                     " ON c.id = e.customer_id ORDER BY e.id") == [
        ("E1", "C1", "cart_abandoned", "web"), ("E2", "C2", "newsletter", None)]
    assert _properties(desk) == [{"cart": 9}, {}]


def test_an_event_without_a_number_is_known_by_what_it_says(desk: Desk) -> None:
    content = "customer_id,name,at,page\nC1,visit,2026-02-01,/a\nC1,visit,2026-02-01,/b\nC1,visit,2026-02-01,/a\n"
    first, again = desk.load("events", content), desk.load("events", content)
    assert (first.imported, first.created, again.created, again.updated) == (3, 2, 0, 2)
    assert sorted(map(str, _properties(desk))) == ["{'page': '/a'}", "{'page': '/b'}"]


def test_further_columns_of_events_are_properties_as_they_stand(quick_desk: Desk) -> None:
    result = quick_desk.load("events", "customer_id,name,at,plate,properties\n"
                                       'C1,visit,2026-02-01,00123,"{""vip"": true, ""plate"": 5}"\n')
    assert result.notes == ("Columns kept as properties: plate.",)
    assert _properties(quick_desk) == [{"vip": True, "plate": "00123"}]


def test_events_come_from_parquet_too(quick_desk: Desk) -> None:
    path = quick_desk.folder / "events.parquet"
    pq.write_table(pa.table({"customer_id": ["C1"], "name": ["visit"], "at": [datetime(2026, 2, 1)], "n": [3]}), path)
    assert quick_desk.load("events", path).imported == 1
    assert _properties(quick_desk) == [{"n": "3"}]


@pytest.mark.parametrize(("line", "words"), [
    ("E1,,visit,2026-02-01,,", "customer_id: The cell is empty."), ("E1,C1,,2026-02-01,,", "name: The cell is empty."),
    ("E1,C1,visit,soon,,", "at: 'soon' is not a date"), ("E1,C1,visit,2026-02-01,,[1]", "no JSON object"),
    ('E1,C1,visit,2026-02-01,,"{""a"": [1]}"', "'a' is a list or an object"),
    ('E1,C1,visit,2026-02-01,,"{""a\\"": 1}"', "no JSON object"),
    ('E1,C1,visit,2026-02-01,,"{""a\\u0001"": 1}"', "A property's name"),
    ('E1,C1,visit,2026-02-01,,"{""a"": NaN}"', "no JSON object"),
])
def test_an_event_that_does_not_fit_is_rejected_with_its_reason(quick_desk: Desk, line: str, words: str) -> None:
    result = quick_desk.load("events", EVENTS + line + "\n")
    assert result.imported == 0 and words in reasons(result)[2]


@pytest.mark.parametrize(("given", "kept"), [
    ("129.90", 129.9), ("5.0", 5), ("1e3", 1000), ("0.1234567890123456", "0.1234567890123456"),
    ("1e-7", "0.0000001"), ("12345678901234567", "12345678901234567"), ("-3", -3), ("false", False),
])
def test_a_number_among_the_properties_has_one_spelling_everywhere(given: str, kept: object) -> None:
    assert json.loads(read_properties(f'{{"a": {given}, "gone": null}}')) == {"a": kept}


def test_relations_bring_their_organisations(desk: Desk) -> None:
    head = "customer_id,kind,organisation_id,organisation,role,since,until\n"
    desk.load("relations", head + "C1,Press,O1,The Paper,editor,2020-01-01,\nC2,employee,,,,,2025-06-01\n"
                                  "C3,partner,,Oak Ltd,,,\n")
    result = desk.load("relations", head + "C1,press,O1,The New Paper,chief editor,2020-01-01,2026-01-01\n")
    assert (result.created, result.updated) == (0, 1)
    assert desk.rows("SELECT c.external_id, kind, role, o.external_id, o.name FROM relations r JOIN customers c ON"
                     " c.id = r.customer_id LEFT JOIN organisations o ON o.id = r.organisation_id ORDER BY r.id") == [
        ("C1", "press", "chief editor", "O1", "The New Paper"), ("C2", "employee", None, None, None),
        ("C3", "partner", None, "Oak Ltd", "Oak Ltd")]


def test_a_relation_that_ends_before_it_begins_is_rejected(quick_desk: Desk) -> None:
    result = quick_desk.load("relations", "customer_id,kind,since,until\nC1,press,2026-01-01,2026-01-01\n")
    assert reasons(result) == {2: "until: It ends before it begins."}


def test_a_score_is_one_value_per_person_and_name(desk: Desk) -> None:
    head = "customer_id,name,value,computed_at\n"
    desk.load("scores", head + "C1,nps,9,2026-01-01\nC1,nps,8.5,2026-01-02\nC2,nps,-3,2026-01-01\n")
    result = desk.load("scores", head + "C1,nps,10,2026-02-01\nC1,clv_12m,120.5,2026-02-01\n")
    assert (result.created, result.updated) == (1, 1)
    assert desk.rows("SELECT c.external_id, name, value FROM scores s JOIN customers c ON c.id = s.customer_id"
                     " ORDER BY 1, 2") == [("C1", "clv_12m", 120.5), ("C1", "nps", 10.0), ("C2", "nps", -3.0)]
    noted = desk.rows("SELECT name, first_at, computed_at, told FROM score_names ORDER BY name")
    assert [(row[0], bool(row[3])) for row in noted] == [("clv_12m", True), ("nps", True)]
    assert noted[1][1] < noted[1][2]


@pytest.mark.parametrize(("line", "words"), [
    ("C1,my score,1", "no name of a score"), ("C1,nps,much", "is not a number"), ("C1,nps,", "The cell is empty"),
    ("C1,nps,1e400", "is not a number"),
])
def test_a_score_that_is_none_is_rejected(quick_desk: Desk, line: str, words: str) -> None:
    result = quick_desk.load("scores", "customer_id,name,value\n" + line + "\n")
    assert result.imported == 0 and words in reasons(result)[2]


@pytest.mark.parametrize(("kind", "content"), [
    ("events", "customer_id,name,at,page\nC1,visit,2026-02-01,/secret\nC2,visit,2026-02-01,/b\n"),
    ("relations", "customer_id,kind,organisation\nC1,press,Secret Paper\nC2,press,Other\n"),
    ("scores", "customer_id,name,value\nC1,nps,9\nC2,nps,8\n"),
])
def test_what_forgotten_people_did_is_erased_and_does_not_come_back(
    desk: Desk, now: datetime, kind: str, content: str
) -> None:
    assert desk.load(kind, content, dry_run=True).created == 2
    assert desk.rows(f"SELECT count(*) FROM {kind}") == [(0,)]
    desk.load(kind, content)
    with desk.database.writing() as session:
        assert len(export_customer(session, "C1")[kind]) == 1
        forget_customer(session, "C1", secret_key=SECRET, now=now)
    assert desk.rows(f"SELECT count(*) FROM {kind}") == [(1,)]
    result = desk.load(kind, content)
    assert "asked to be forgotten" in reasons(result)[2] and result.imported == 1
    assert desk.rows(f"SELECT count(*) FROM {kind}") == [(1,)]


def test_too_many_properties_are_refused_before_anything_is_stored(quick_desk: Desk) -> None:
    with pytest.raises(Invalid, match="at most 100 properties"):
        quick_desk.load("events", "customer_id,name,at," + ",".join(f"p{n}" for n in range(101)) + "\n")
