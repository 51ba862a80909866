"""Marks stand where their values are; effects always show 0; nothing is drawn for what is unknown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.frame.plots import (
    Channel,
    Estimate,
    Exclusion,
    interval_plot,
    small_line,
    ticks_between,
    tint,
    tint_steps,
    waterfall,
)


def estimate(value: float | None, low: float | None, high: float | None) -> Estimate:
    return Estimate("10 %", value, low, high, "v", "l to h")


def place_of(plot_ticks: dict[str, float], value: float) -> float:
    (x1, a), (x2, b) = sorted((float(label), at) for label, at in plot_ticks.items())[:2]
    return a + (value - x1) / (x2 - x1) * (b - a)


def test_dot_whisker_and_ticks_share_one_scale() -> None:
    plot = interval_plot([estimate(3.2, 1.0, 5.1), estimate(3.8, 1.6, 5.7)], kind="effect", title="t", tick=str)
    ticks = {tick.label: tick.at for tick in plot.ticks}
    for row in plot.rows:
        assert row.dot == pytest.approx(place_of(ticks, row.estimate.value or 0), abs=0.02)
        assert row.left == pytest.approx(place_of(ticks, row.estimate.low or 0), abs=0.02)
        assert row.right == pytest.approx(place_of(ticks, row.estimate.high or 0), abs=0.02)


def test_an_effect_always_shows_zero_and_a_response_need_not() -> None:
    far = [estimate(30.0, 28.0, 32.0)]
    assert [tick.is_zero for tick in interval_plot(far, kind="effect", title="t", tick=str).ticks].count(True) == 1
    assert not any(tick.is_zero for tick in interval_plot(far, kind="response", title="t", tick=str).ticks)
    assert min(float(t.label) for t in interval_plot(far, kind="response", title="t", tick=str).ticks) > 0


def test_a_fixed_axis_cuts_the_whisker_open() -> None:
    (row,) = interval_plot([estimate(0.08, 0.02, 0.5)], kind="response", title="t", tick=str, low=0.0, high=0.12).rows
    assert row.cap_left
    assert not row.cap_right
    assert row.right == 96


def test_an_endless_interval_has_no_cap() -> None:
    (row,) = interval_plot([estimate(1.0, None, math.inf)], kind="effect", title="t", tick=str).rows
    assert (row.cap_left, row.cap_right) == (False, False)


@pytest.mark.parametrize("value", [None, math.nan])
def test_an_unknown_estimate_draws_no_mark(value: float | None) -> None:
    row, known = interval_plot([estimate(value, 1, 2), estimate(1, 0, 2)], kind="effect", title="t", tick=str).rows
    assert (row.dot, row.left, row.right) == (None, None, None)
    assert "no estimate" in row.spoken
    assert known.dot is not None


def test_nothing_to_draw_is_an_axis_alone() -> None:
    assert interval_plot([], kind="effect", title="t", tick=str).rows == ()


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_three_to_five_and_cover_the_data(low: float, width: float) -> None:
    high = low + width
    ticks = ticks_between(low, high)
    assert 3 <= len(ticks) <= 5
    assert list(ticks) == sorted(set(ticks))
    assert ticks[0] <= low + width * 1e-6
    assert ticks[-1] >= high - width * 1e-6


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0, 20), st.floats(0, 20)), min_size=1, max_size=6))
def test_every_mark_stays_inside_the_drawing(rows: list[tuple[float, float, float]]) -> None:
    plot = interval_plot([estimate(v, v - a, v + b) for v, a, b in rows], kind="effect", title="t", tick=str)
    for row in plot.rows:
        assert row.left is not None and row.dot is not None and row.right is not None
        assert 3.9 <= row.left <= row.dot <= row.right <= 96.1


def test_a_waterfall_adds_up_and_counts_everybody_once() -> None:
    fall = waterfall(
        "In the segment", 9640, exclusions=[Exclusion("open order", 512), Exclusion("return", 148), Exclusion("no", 0)],
        channels=[Channel("Letter", 3608)],
    )
    assert fall.reachable.people == 9640 - 512 - 148
    assert fall.start.width == 100
    assert fall.reachable.width == pytest.approx(100 * 8980 / 9640, abs=0.01)
    assert fall.magnified == 10
    assert fall.steps[0].left == pytest.approx(100 - 10 * 100 * 512 / 9640, abs=0.01)
    assert fall.steps[1].left + fall.steps[1].width == pytest.approx(fall.steps[0].left, abs=0.01)
    assert fall.steps[2].width == 0


def test_large_steps_are_not_magnified_beyond_the_start() -> None:
    fall = waterfall("In the segment", 100, exclusions=[Exclusion("a", 40), Exclusion("b", 30)])
    assert fall.magnified == 1
    assert fall.steps[-1].left == pytest.approx(30)


def test_an_impossible_waterfall_is_refused() -> None:
    with pytest.raises(ValueError, match="11 people"):
        waterfall("x", 10, exclusions=[Exclusion("a", 11)])
    assert waterfall("x", 0, exclusions=[]).reachable.people == 0


def test_a_small_line_starts_at_zero_and_ends_at_the_edge() -> None:
    line = small_line([0, 10, 5])
    assert line.points == "0.0,78.0 170.0,6.0 340.0,42.0"
    assert line.area.startswith("0,78 ") and line.area.endswith(" 340,78")
    assert small_line([]).points == ""
    assert small_line([3]).points.count(",") == 2
    assert small_line([0, 0]).peak == 0


def test_the_tint_follows_the_lower_end() -> None:
    steps = tint_steps([0.0, 0.04, 0.08, None, math.nan])
    assert [tint(low, steps=steps) for low in (0.0, 0.02, 0.05, 0.08)] == [1, 2, 3, 4]
    assert tint(None, steps=steps) == 0
    assert tint(0.05, steps=tint_steps([0.05, 0.05])) == 1
