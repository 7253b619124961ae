"""The whole benchmark once, as small as it gets: one run of the terminal on one file."""

from __future__ import annotations

import pytest
from race.course import Course
from race.limit import limit
from race.model import SHAPES, SPEEDS
from race.report import markdown
from race.spark import entrants


def test_a_fresh_pull_is_reviewed_by_a_real_process_and_measured(capsys: pytest.CaptureFixture[str]) -> None:
    near = SPEEDS[1]
    (terminal,) = [each for each in entrants() if each.name == "Spark terminal"]
    course = Course(entrants=[terminal], shapes=SHAPES[:1], speeds=[near], efforts=["instant"], number=1, warm=False)
    course.run()
    race = course.race()
    assert race.failures == (), capsys.readouterr().err
    (run,) = race.runs
    bound = limit(near, SHAPES[0], "instant")
    assert run.first_finding is not None
    assert bound.first_finding < run.first_finding < run.first_post <= run.done
    assert run.done > bound.done
    assert (run.calls, run.comments, run.posted, run.writes) == (1, 2, True, 1)
    assert 0.1 < run.cpu < 20
    assert 20 < run.memory < 500
    assert "| 1 file | Spark terminal |" in markdown(race)
    assert "Spark terminal" in capsys.readouterr().err
