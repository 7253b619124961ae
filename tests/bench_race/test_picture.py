"""The chart: well-formed, its curves in the right places, names that do not cover each other, hostile names harmless."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from race.picture import Chart, Line, svg, ticks

SVG = "{http://www.w3.org/2000/svg}"


def chart(*lines: Line) -> Chart:
    return Chart(title="Seconds", description="what it shows", across="files", up="seconds", lines=lines)


def drawn(*lines: Line) -> ET.Element:
    return ET.fromstring(svg(chart(*lines)))


def test_title_description_and_axes_are_text() -> None:
    root = drawn(Line(name="a", points=[(1, 1), (300, 2)]))
    assert root.findtext(f"{SVG}title") == "Seconds"
    assert root.findtext(f"{SVG}desc") == "what it shows"
    said = [" ".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert {"files", "seconds", "1", "300"} <= set(said)
    assert any("a: 2" in text for text in said)


def test_names_with_markup_in_them_stay_text() -> None:
    name = '<script>alert(1)</script> & "more"'
    root = drawn(Line(name=name, points=[(1, 1), (2, 2)]))
    assert any(name in "".join(text.itertext()) for text in root.iter(f"{SVG}text"))
    assert not list(root.iter(f"{SVG}script"))


def test_equal_ratios_are_equally_far_apart() -> None:
    (curve,) = drawn(Line(name="a", points=[(1, 1), (10, 10), (100, 100)])).iter(f"{SVG}polyline")
    (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, each.split(","))) for each in curve.attrib["points"].split()]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert y1 < y0


def test_only_what_was_not_measured_is_dashed() -> None:
    root = drawn(Line(name="a", points=[(1, 1), (2, 2)]), Line(name="limit", points=[(1, 1), (2, 1)], dashed=True))
    assert ["dashed" in curve.attrib["class"] for curve in root.iter(f"{SVG}polyline")] == [False, True]


@given(st.lists(st.floats(0.1, 1000), min_size=1, max_size=9))
def test_names_at_the_right_never_cover_each_other(ends: list[float]) -> None:
    root = drawn(*(Line(name=f"p{at}", points=[(1, 1), (60, end)]) for at, end in enumerate(ends)))
    at = sorted(float(text.attrib["y"]) for text in root.iter(f"{SVG}text") if text.find(f"{SVG}tspan") is not None)
    assert len(at) == len(ends)
    assert all(after - before > 14 for before, after in itertools.pairwise(at))
    assert at[0] > 0
    assert at[-1] < float(root.attrib["height"])


@given(st.floats(0.001, 1e5), st.floats(0.001, 1e5))
def test_the_axis_begins_and_ends_outside_of_what_it_shows(one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = ticks(low, high)
    assert len(found) >= 2
    assert found[0] <= low * 1.001
    assert found[-1] >= high * 0.999
    assert all(math.isclose(float(f"{tick:.0e}"), tick) for tick in found)


def test_both_colour_schemes_have_every_colour() -> None:
    light, dark = re.split("@media", svg(chart(Line(name="a", points=[(1, 1), (2, 2)]))))
    assert set(re.findall(r"\.[sf]\d", light)) == set(re.findall(r"\.[sf]\d(?=\{)", dark))


@pytest.mark.parametrize("points", [[], [(1.0, 0.0)], [(0.0, 1.0)]])
def test_what_a_logarithmic_chart_cannot_show_is_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="Seconds"):
        svg(chart(Line(name="a", points=points)))
