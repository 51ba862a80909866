"""What does any table of an experiment say: which arm did better, by how much, and may that be believed?

Owns `winback analyse`: reads a CSV or Parquet table with one row per person, compares every arm with the control on
every metric, adjusts for all comparisons made, and checks the split. The promise: a column that cannot be analysed is
refused with its name and row, a row left out is counted, and no difference is printed before the sample-ratio check.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.errors import Invalid
from core.statistics.estimates import Comparison, Interval, as_json, finite_or_none
from core.statistics.means import Moments, compare_means, lift_of_means, mean
from core.statistics.multiplicity import adjust
from core.statistics.proportions import Count, compare_rates, lift_of_rates, rate
from core.statistics.samples import SampleRatio, sample_ratio
from core.statistics.sequential import always_valid_means, always_valid_rates

if TYPE_CHECKING:
    import numpy
    import pandas

Kind = Literal["rate", "mean"]
YES_NO = {"true": "1", "false": "0"}


@dataclass(frozen=True, slots=True)
class ArmValue:
    """One arm on one metric: its rate or mean with interval, and the rows that had a value."""

    metric: str
    kind: Kind
    arm: str
    value: Interval


@dataclass(frozen=True, slots=True)
class Finding:
    """One arm against the control on one metric.

    `fixed` holds for a sample size declared beforehand, `always_valid` at every look; `p_adjusted` is the fixed p value
    after Holm's correction over all metrics and arms of the analysis; `lift` is relative (0.2: a fifth more).
    """

    metric: str
    kind: Kind
    arm: str
    control: str
    fixed: Comparison
    p_adjusted: float
    always_valid: Comparison
    lift: Interval


@dataclass(frozen=True, slots=True)
class Analysis:
    """The whole answer. `without_arm` and `without_value` count rows left out: of all metrics, or of one."""

    arm_column: str
    control: str
    rows: int
    without_arm: int
    without_value: dict[str, int]
    confidence: float
    sample_ratio: SampleRatio
    values: tuple[ArmValue, ...]
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        """The analysis as JSON: `srm`, `arms` (each metric's value per arm) and `comparisons`, undefined as null."""
        ratio = self.sample_ratio
        return {
            "arm": self.arm_column,
            "control": self.control,
            "rows": self.rows,
            "rows_without_arm": self.without_arm,
            "rows_without_value": dict(self.without_value),
            "confidence": self.confidence,
            "srm": {
                "p_value": finite_or_none(ratio.p_value),
                "chi_squared": finite_or_none(ratio.chi_squared),
                "mismatch": ratio.mismatch,
                "observed": dict(ratio.observed),
                "expected": {arm: finite_or_none(people) for arm, people in ratio.expected.items()},
            },
            "arms": [
                {"metric": one.metric, "kind": one.kind, "arm": one.arm, **as_json(one.value)} for one in self.values
            ],
            "comparisons": [_finding_as_json(finding) for finding in self.findings],
        }

    def to_text(self) -> str:
        """The analysis as a plain text table for a terminal."""
        return render(self)


def analyse(
    table: "pandas.DataFrame | Path | str", *, arm: str, control: str,
    rates: Sequence[str] = (), means: Sequence[str] = (), confidence: float = 0.95,
) -> Analysis:  # fmt: skip
    """Compare every arm of a table (one row per person) with the control on every `rates` and `means` column.

    `rates` columns hold 0 or 1 (or true and false), `means` columns any numbers. Rows without an arm, and empty cells
    of a metric, are left out and counted. The split is checked against equal weights. Raises Invalid, naming column
    and row, for a table that cannot be read, a missing column or control, fewer than two arms, or values that do not
    fit.
    """
    metrics = _metrics(rates, means)
    frame = _load(table, [arm, *(column for column, _ in metrics)])
    labels = _labels(frame[arm])
    assigned = labels != ""
    people = {str(name): int(rows) for name, rows in labels[assigned].value_counts(sort=False).items()}
    if control not in people:
        found = ", ".join(repr(name) for name in sorted(people)[:10]) or "no value at all"
        raise Invalid(f"no row has the control value {control!r}; the column holds {found}", place=f"column {arm}")
    arms = [control, *sorted(name for name in people if name != control)]
    if len(arms) < 2:
        raise Invalid(f"every row is {control!r}; a comparison needs a second arm", place=f"column {arm}")

    values: list[ArmValue] = []
    findings: list[Finding] = []
    without_value: dict[str, int] = {}
    for column, kind in metrics:
        numbers = _numbers(frame[column], column, kind)
        without_value[column] = int((numbers.isna() & assigned).sum())
        known = assigned & numbers.notna()
        by_arm = {name: numbers[known & (labels == name)].to_numpy() for name in arms}
        compare = _rate_findings if kind == "rate" else _mean_findings
        shown, found_here = compare(column, by_arm, confidence)
        values += shown
        findings += found_here
    return Analysis(
        arm, control, len(frame), int((~assigned).sum()), without_value, confidence,
        sample_ratio({name: people[name] for name in arms}, dict.fromkeys(arms, 1.0)),
        tuple(values), _adjusted(findings),
    )  # fmt: skip


def _metrics(rates: Sequence[str], means: Sequence[str]) -> list[tuple[str, Kind]]:
    """The metrics in the order asked for, each once."""
    wanted: list[tuple[str, Kind]] = [(column, "rate") for column in dict.fromkeys(rates)]
    wanted += [(column, "mean") for column in dict.fromkeys(means)]
    if not wanted:
        raise Invalid("name at least one column to compare, with --rate (0 or 1) or --mean (amounts)")
    twice = sorted(set(rates) & set(means))
    if twice:
        raise Invalid("is asked for both as a rate and as a mean; choose one", place=f"column {twice[0]}")
    return wanted


def _rate_findings(
    column: str, by_arm: dict[str, "numpy.ndarray[Any, Any]"], confidence: float
) -> tuple[list[ArmValue], list[Finding]]:
    counts = {name: Count(int(numbers.sum()), len(numbers)) for name, numbers in by_arm.items()}
    control = next(iter(counts))
    base = counts[control]
    values = [ArmValue(column, "rate", name, rate(count, confidence=confidence)) for name, count in counts.items()]
    findings = [
        Finding(
            column, "rate", name, control,
            compare_rates(count, against=base, confidence=confidence), float("nan"),
            always_valid_rates(count, against=base, confidence=confidence),
            lift_of_rates(count, against=base, confidence=confidence),
        )
        for name, count in counts.items() if name != control
    ]  # fmt: skip
    return values, findings


def _mean_findings(
    column: str, by_arm: dict[str, "numpy.ndarray[Any, Any]"], confidence: float
) -> tuple[list[ArmValue], list[Finding]]:
    moments = {name: Moments.from_values(numbers.tolist()) for name, numbers in by_arm.items()}
    control = next(iter(moments))
    base = moments[control]
    values = [ArmValue(column, "mean", name, mean(one, confidence=confidence)) for name, one in moments.items()]
    findings = [
        Finding(
            column, "mean", name, control,
            compare_means(one, against=base, confidence=confidence), float("nan"),
            always_valid_means(one, against=base, confidence=confidence),
            lift_of_means(one, against=base, confidence=confidence),
        )
        for name, one in moments.items() if name != control
    ]  # fmt: skip
    return values, findings


def _adjusted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings with Holm's adjustment over the whole family: all metrics times all arms but the control."""
    adjusted = adjust([finding.fixed.p_value for finding in findings])
    return tuple(
        Finding(one.metric, one.kind, one.arm, one.control, one.fixed, p_value, one.always_valid, one.lift)
        for one, p_value in zip(findings, adjusted, strict=True)
    )


# Reading the table


def _load(table: "pandas.DataFrame | Path | str", columns: Sequence[str]) -> "pandas.DataFrame":
    """The wanted columns of a frame, a Parquet file (known by its first bytes) or a CSV file (all cells as text)."""
    import pandas

    if isinstance(table, pandas.DataFrame):
        frame = table
    else:
        path = Path(table)
        try:
            with path.open("rb") as opened:
                parquet = opened.read(4) == b"PAR1"
            frame = pandas.read_parquet(path) if parquet else _read_csv(path)
        except OSError as error:
            raise Invalid(f"cannot be read: {error.strerror or error}", place=str(path)) from error
        except UnicodeDecodeError as error:
            raise Invalid("is not UTF-8 text; save it again as CSV UTF-8", place=str(path)) from error
        except (ValueError, csv.Error) as error:  # what pandas and Arrow raise for a damaged file
            raise Invalid(f"is neither a CSV nor a Parquet table: {str(error).strip()}", place=str(path)) from error
    for column in columns:
        if column not in frame.columns:
            known = ", ".join(str(name) for name in list(frame.columns)[:20])
            raise Invalid(f"the table has no such column; it has {known}", place=f"column {column}")
    return frame[list(dict.fromkeys(columns))].reset_index(drop=True)


def _read_csv(path: Path) -> "pandas.DataFrame":
    """All cells as text, so that an arm called 'None', 'NA' or '01' stays what it is."""
    import pandas

    with path.open(encoding="utf-8-sig", newline="") as opened:
        header = opened.readline()
    separator = max(",;\t|", key=header.count)
    frame = pandas.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if not isinstance(frame.index, pandas.RangeIndex):
        # pandas would silently take the surplus cells for an index and shift every column.
        raise ValueError("its rows have more cells than its first line has names")
    return frame


def _labels(column: "pandas.Series[Any]") -> "pandas.Series[str]":
    """Arm names as stripped text, '' where there is none; whole floats (2.0) lose their point, as they are names."""
    import pandas

    present = column.notna()
    if pandas.api.types.is_float_dtype(column) and bool((column[present] % 1 == 0).all()):
        column = column.astype("Int64")
    return column.astype(object).where(present, "").map(str).str.strip()


def _numbers(column: "pandas.Series[Any]", name: str, kind: Kind) -> "pandas.Series[float]":
    """The column as numbers, empty cells as nan; Invalid names the first row (header not counted) that does not fit."""
    import numpy
    import pandas

    if pandas.api.types.is_numeric_dtype(column):
        numbers = column.astype("Float64").to_numpy(dtype=float, na_value=numpy.nan)
        wrong = numpy.isinf(numbers)
    else:
        empty = column.isna()
        text = column.astype(object).where(~empty, "").map(str).str.strip()
        if kind == "rate":
            text = text.map(lambda cell: YES_NO.get(cell.lower(), cell))
        parsed = pandas.to_numeric(text.where(text != "", None), errors="coerce")
        numbers = parsed.to_numpy(dtype=float, na_value=numpy.nan)
        wrong = (~numpy.isfinite(numbers)) & (text != "").to_numpy()
    if kind == "rate" and not wrong.any():
        wrong = ~(numpy.isnan(numbers) | numpy.isin(numbers, (0.0, 1.0)))
    if wrong.any():
        row = int(wrong.argmax())
        needed = "a rate column holds 0 or 1 (or true and false)" if kind == "rate" else "a mean column holds numbers"
        hint = "; for amounts use --mean" if kind == "rate" else ""
        raise Invalid(f"{needed}, but row {row + 1} holds {str(column.iloc[row])!r}{hint}", place=f"column {name}")
    return pandas.Series(numbers)


# Showing it


def _finding_as_json(finding: Finding) -> dict[str, Any]:
    fixed, always = finding.fixed, finding.always_valid
    numbers = {
        "difference": fixed.estimate,
        "low": fixed.low,
        "high": fixed.high,
        "p_value": fixed.p_value,
        "p_adjusted": finding.p_adjusted,
        "always_valid_p": always.p_value,
        "always_valid_low": always.low,
        "always_valid_high": always.high,
        "lift": finding.lift.estimate,
        "lift_low": finding.lift.low,
        "lift_high": finding.lift.high,
    }
    return {
        "metric": finding.metric,
        "kind": finding.kind,
        "arm": finding.arm,
        "control": finding.control,
        "n": fixed.n,
        "n_control": fixed.n_against,
        **{key: finite_or_none(value) for key, value in numbers.items()},
        "method": fixed.method,
        "adjustment": "Holm",
    }


def render(analysis: Analysis) -> str:
    """The analysis as plain text: the split first, then each metric with its arms and its differences."""
    lines = _split_lines(analysis)
    for metric in dict.fromkeys(value.metric for value in analysis.values):
        shown = [value for value in analysis.values if value.metric == metric]
        found = {finding.arm: finding for finding in analysis.findings if finding.metric == metric}
        limits = f"{analysis.confidence * 100:g} %"
        table = [["arm", "people", shown[0].kind, "difference", limits, "lift", "p", "p (Holm)", "p (any look)"]]
        table += [_row(value, found.get(value.arm)) for value in shown]
        widths = [max(len(row[index]) for row in table) for index in range(len(table[0]))]
        padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in table]
        lines += ["", metric, *("  " + "  ".join(row).rstrip() for row in padded)]
        if analysis.without_value[metric]:
            lines.append(f"  {analysis.without_value[metric]:,} rows without a value are left out here.")
    methods = dict.fromkeys(finding.fixed.method for finding in analysis.findings)
    lines += [
        "",
        f"Worked out by: {'; '.join(methods)}. Holm over {len(analysis.findings)} comparisons.",
        "The last column holds whenever you look; the others only at a number of people fixed beforehand.",
    ]
    return "\n".join(lines)


def _split_lines(analysis: Analysis) -> list[str]:
    ratio = analysis.sample_ratio
    people = ", ".join(f"{arm} {seen:,}" for arm, seen in ratio.observed.items())
    lines = [f"{analysis.rows:,} rows, compared with {analysis.control}. People per arm: {people}."]
    if analysis.without_arm:
        lines.append(f"{analysis.without_arm:,} rows without an arm are left out.")
    if ratio.mismatch:
        lines.append(
            f"The arms are not of equal size (p {_p(ratio.p_value)}). If they were meant to be, people were lost on the"
            " way: find out where before you believe any number below."
        )
    else:
        lines.append(f"The split is as even as chance allows (p {_p(ratio.p_value)}).")
    return lines


def _row(value: ArmValue, finding: Finding | None) -> list[str]:
    percent = value.kind == "rate"
    here = _number(value.value.estimate, percent=percent, unit=" %")
    if finding is None:
        return [value.arm, f"{value.value.n:,}", here, "", "", "", "", "", ""]
    fixed = finding.fixed
    low, high = (_number(limit, percent=percent, signed=True) for limit in (fixed.low, fixed.high))
    return [
        value.arm,
        f"{value.value.n:,}",
        here,
        _number(fixed.estimate, percent=percent, signed=True, unit=" points"),
        f"{low} to {high}",
        _number(finding.lift.estimate, percent=True, signed=True, unit=" %"),
        _p(fixed.p_value),
        _p(finding.p_adjusted),
        _p(finding.always_valid.p_value),
    ]


def _number(value: float, *, percent: bool, signed: bool = False, unit: str = "") -> str:
    """A number for people: percent and points with two decimals, amounts with four digits."""
    if finite_or_none(value) is None:
        return "unknown"
    sign = "+" if signed else ""
    text = f"{value * 100:{sign},.2f}{unit}" if percent else f"{value:{sign},.4g}"
    return text.replace("-", "\N{MINUS SIGN}")


def _p(value: float) -> str:
    if finite_or_none(value) is None:
        return "unknown"
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"
