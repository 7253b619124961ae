"""What is told of growth: the exponent beyond the fixed cost, and the tables."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import scale_growth
import scale_pulls
from race.model import Shape
from race.sources import source
from scale_growth import Grown, exponent
from scale_pulls import Crowd

SIZES = (1, 3, 10, 30, 100, 300, 1000)


def grown(size: int, cpu: float, memory: float = 60.0) -> Grown:
    return Grown(kind="files", size=size, seconds=2 * cpu, cpu=cpu, memory=memory, hunks=2 * size, calls=min(size, 64))


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_the_exponent_is_the_power_with_which_a_cost_grows_beyond_the_fixed_one(power: float) -> None:
    found = [grown(size, 0.4 + 0.001 * (size**power - 1)) for size in SIZES]
    assert exponent(found, "cpu") == pytest.approx(power, abs=0.03)


def test_what_does_not_grow_has_no_exponent() -> None:
    assert exponent([grown(size, 0.4) for size in SIZES], "cpu") == 0.0
    assert exponent([grown(size, 0.4, 60.0) for size in SIZES], "memory") == 0.0


def test_a_table_has_a_row_for_each_size_and_tells_the_cost_of_one_more() -> None:
    rows = scale_growth.table([grown(1, 0.4), grown(1000, 1.4)]).split("\n")
    assert rows[0].startswith("| changed files |")
    assert rows[-1] == "| 1,000 | 2,000 | 64 | 2.80 s | 1.40 s | 1.00 ms | 60 MB |"


@pytest.mark.parametrize("number", [5, 15, 50, 150])
def test_lines_that_are_spread_over_files_are_that_many(number: int) -> None:
    shape = Shape(name="", files=20, added=number)
    before, after = (source(3, shape, changed=changed).splitlines() for changed in (False, True))
    assert len(after) - len(before) == number


def test_a_crowd_tells_percentiles_and_its_rate() -> None:
    moments = [0.1 * number for number in range(1, 51)]
    crowd = Crowd(
        servers=1,
        database="sqlite",
        speed="fast",
        places=8,
        pulls=50,
        acknowledged=0.012,
        each={"check": moments, "first_finding": moments, "first_post": moments},
        over=7.5,
        cpu=9.0,
        memory=210.0,
        threads=90,
        busy=1.93,
    )
    assert crowd.a_minute == pytest.approx(400)
    assert (crowd.at("check", 0.5), crowd.at("check", 0.9)) == pytest.approx((2.5, 4.5))
    row = scale_pulls.table([crowd]).split("\n")[-1]
    assert (
        "| 12 ms | 2.50 s | 4.50 s | 2.50 s | 4.50 s | 2.50 s | 4.50 s | 7.5 s | 400 | 9.0 s | 1.9 | 210 MB | 90 |"
        in row
    )
