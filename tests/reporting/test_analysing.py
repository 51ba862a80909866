"""Does the analysis of any table say what the formulas say, and refuse what it cannot read?"""

import json
from pathlib import Path

import numpy
import pandas
import pytest

from core.errors import Invalid
from core.statistics.means import Moments, compare_means, lift_of_means
from core.statistics.multiplicity import adjust
from core.statistics.proportions import Count, compare_rates
from core.statistics.sequential import always_valid_rates
from reporting.analysing import Analysis, analyse
from tests.numbers.hillstrom import PEOPLE, VISITS


def experiment(people: int = 900) -> pandas.DataFrame:
    """Three arms drawn at random, one called 'None', a rate and an amount."""
    numbers = numpy.random.default_rng(1)
    visit = (numbers.random(people) < 0.2).astype(int)
    return pandas.DataFrame(
        {
            "segment": numbers.choice(["No E-Mail", "Mens", "None"], people),
            "visit": visit,
            "spend": (numbers.exponential(30, people) * visit).round(2),
        }
    )


def analysed(table: pandas.DataFrame | Path) -> Analysis:
    return analyse(table, arm="segment", control="No E-Mail", rates=["visit"], means=["spend"])


def csv_file(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_frame_a_csv_file_and_a_parquet_file_give_the_same_answer(tmp_path: Path) -> None:
    frame = experiment()
    frame.to_csv(tmp_path / "table.csv", index=False)
    frame.to_csv(tmp_path / "semicolons.csv", index=False, sep=";", encoding="utf-8-sig")
    frame.to_parquet(tmp_path / "table")
    answers = [analysed(tmp_path / name) for name in ("table.csv", "semicolons.csv", "table")]
    assert answers == [analysed(frame)] * 3


def test_each_number_is_the_one_of_the_formula() -> None:
    frame = experiment()
    comparisons = {(row["metric"], row["arm"]): row for row in analysed(frame).to_dict()["comparisons"]}
    arms = dict(list(frame.groupby("segment")))
    count = {arm: Count(int(rows["visit"].sum()), len(rows)) for arm, rows in arms.items()}
    spend = {arm: Moments.from_values(rows["spend"]) for arm, rows in arms.items()}
    visit = compare_rates(count["Mens"], against=count["No E-Mail"])
    row = comparisons["visit", "Mens"]
    assert (row["difference"], row["low"], row["high"], row["p_value"]) == (
        visit.estimate, visit.low, visit.high, visit.p_value,
    )  # fmt: skip
    assert row["always_valid_p"] == always_valid_rates(count["Mens"], against=count["No E-Mail"]).p_value
    row = comparisons["spend", "None"]
    assert row["p_value"] == pytest.approx(compare_means(spend["None"], against=spend["No E-Mail"]).p_value)
    lift = lift_of_means(spend["None"], against=spend["No E-Mail"])
    assert (row["lift"], row["lift_low"], row["lift_high"]) == pytest.approx((lift.estimate, lift.low, lift.high))


def test_holm_runs_over_all_metrics_and_arms_together() -> None:
    comparisons = analysed(experiment()).to_dict()["comparisons"]
    assert len(comparisons) == 4
    assert [row["p_adjusted"] for row in comparisons] == list(adjust([row["p_value"] for row in comparisons]))


def test_the_published_visits_come_out_of_a_table_of_64_000_rows() -> None:
    arms = numpy.repeat(list(PEOPLE), list(PEOPLE.values()))
    visit = numpy.concatenate([numpy.arange(one.n) < one.hits for one in VISITS.values()])
    answer = analyse(pandas.DataFrame({"arm": arms, "visit": visit}), arm="arm", control="control", rates=["visit"])
    mens, womens = answer.to_dict()["comparisons"]
    assert (mens["difference"], womens["difference"]) == pytest.approx((0.0765896, 0.0452331), abs=5e-8)
    assert mens["p_value"] == pytest.approx(5.685e-112, rel=1e-3, abs=0)
    assert answer.to_dict()["srm"]["p_value"] == pytest.approx(0.90369, abs=1e-5)


def test_an_arm_called_none_or_written_as_a_number_is_an_arm(tmp_path: Path) -> None:
    assert "None" in {finding.arm for finding in analysed(experiment()).findings}
    path = csv_file(tmp_path, "arm,hit\n" + "0,1\n0,0\n1,1\n1,0\n" * 5)
    assert analyse(path, arm="arm", control="0", rates=["hit"]).findings[0].arm == "1"
    floats = pandas.DataFrame({"arm": [0.0, 1.0, None], "hit": [True, False, True]})
    answer = analyse(floats, arm="arm", control="0", rates=["hit"])
    assert answer.findings[0].arm == "1" and answer.without_arm == 1


def test_empty_cells_are_left_out_and_counted(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "arm,hit,spend\na,1,\na,0,2.5\nb,yes,3\n,1,1\nb,true,4\n".replace("yes", ""))
    answer = analyse(path, arm="arm", control="a", rates=["hit"], means=["spend"])
    assert answer.without_arm == 1 and answer.without_value == {"hit": 1, "spend": 1}
    shown = {(row["metric"], row["arm"]): row["n"] for row in answer.to_dict()["arms"]}
    assert shown == {("hit", "a"): 2, ("hit", "b"): 1, ("spend", "a"): 1, ("spend", "b"): 2}
    assert "1 rows without an arm are left out." in answer.to_text()


def test_a_table_with_nothing_to_tell_apart_answers_null_and_not_nan() -> None:
    frame = pandas.DataFrame({"arm": ["a", "b"], "hit": [0, 0], "spend": [0.0, 0.0]})
    answer = analyse(frame, arm="arm", control="a", rates=["hit"], means=["spend"])
    text = json.dumps(answer.to_dict(), allow_nan=False)
    assert json.loads(text)["comparisons"][1]["p_value"] is None
    assert "nan" not in answer.to_text() and "unknown" in answer.to_text()


def test_an_arm_without_any_value_is_shown_as_unknown() -> None:
    frame = pandas.DataFrame({"arm": ["a", "a", "b"], "hit": [0.0, 1.0, None]})
    answer = analyse(frame, arm="arm", control="a", rates=["hit"])
    assert answer.to_dict()["comparisons"][0]["difference"] is None


def test_a_lopsided_split_is_said_before_any_number() -> None:
    frame = pandas.DataFrame({"arm": ["a"] * 300 + ["b"] * 200, "hit": [0, 1] * 250})
    lines = analyse(frame, arm="arm", control="a", rates=["hit"]).to_text().splitlines()
    assert lines[1].startswith("The arms are not of equal size (p < 0.0001).")
    assert "hit" in lines[3:]


def test_the_text_shows_points_and_percent_with_true_minus_signs() -> None:
    frame = pandas.DataFrame({"arm": ["a"] * 100 + ["b"] * 100, "hit": [1] * 50 + [0] * 50 + [1] * 25 + [0] * 75})
    text = analyse(frame, arm="arm", control="a", rates=["hit"]).to_text()
    assert "\N{MINUS SIGN}25.00 points" in text and "\N{MINUS SIGN}50.00 %" in text and " to " in text


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"arm": "group"}, "column group: the table has no such column; it has segment, visit, spend"),
        ({"rates": ["bought"]}, "column bought: the table has no such column"),
        ({"control": "Nobody"}, "column segment: no row has the control value 'Nobody'; the column holds 'Mens'"),
        ({"rates": ["spend"]}, r"column spend: a rate column holds 0 or 1 .* for amounts use --mean"),
        ({"rates": [], "means": ["segment"]}, "column segment: a mean column holds numbers, but row 1 holds"),
        ({"rates": ["visit"], "means": ["visit"]}, "column visit: is asked for both"),
        ({"rates": []}, "name at least one column"),
    ],
)
def test_a_wrong_question_is_refused_with_the_column_named(asked: dict[str, object], message: str) -> None:
    question = {"arm": "segment", "control": "No E-Mail", "rates": ["visit"], **asked}
    with pytest.raises(Invalid, match=message):
        analyse(experiment(90), **question)  # type: ignore[arg-type]


@pytest.mark.parametrize("cell", ["0.5", "2", "-1", "yes", "inf", "nan?"])
def test_a_rate_that_is_not_0_or_1_is_refused_with_its_row(tmp_path: Path, cell: str) -> None:
    path = csv_file(tmp_path, f"arm,hit\na,1\nb,{cell}\n")
    with pytest.raises(Invalid, match=r"column hit: a rate column holds 0 or 1 .* row 2 holds"):
        analyse(path, arm="arm", control="a", rates=["hit"])


@pytest.mark.parametrize("cell", ["1,5", "inf", "12 EUR", "x"])
def test_an_amount_that_is_no_number_is_refused_with_its_row(tmp_path: Path, cell: str) -> None:
    path = csv_file(tmp_path, f"arm;spend\na;1\nb;{cell}\n")
    with pytest.raises(Invalid, match="column spend: a mean column holds numbers, but row 2 holds"):
        analyse(path, arm="arm", control="a", means=["spend"])


def test_a_table_with_one_arm_is_refused() -> None:
    with pytest.raises(Invalid, match="needs a second arm"):
        analyse(pandas.DataFrame({"arm": ["a"], "hit": [1]}), arm="arm", control="a", rates=["hit"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "neither a CSV nor a Parquet table"),
        (b"PAR1 and no more", "neither a CSV nor a Parquet table"),
        ("arm,hit\nf\u00f6,1\n".encode("latin-1"), "not UTF-8"),
        (b"arm,hit\na,1\nb,1,2,3\n", "neither a CSV nor a Parquet table"),
        (b"arm,hit\na,1,9\nb,1,9\n", "more cells than its first line has names"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=message):
        analyse(path, arm="arm", control="a", rates=["hit"])


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be read: No such file"):
        analyse(tmp_path / "missing.csv", arm="arm", control="a", rates=["hit"])
