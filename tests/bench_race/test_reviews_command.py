"""`bench/reviews.py` without a race: what was kept is joined, shown and written; mistakes are told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import reviews
from race.record import Entry, Failure, Race, dump

Command = Callable[..., int]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.setattr(reviews, "DOCUMENT", tmp_path / "measured.md")
    monkeypatch.setattr(reviews, "IMAGES", tmp_path / "images")

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["reviews.py", *map(str, arguments)])
        return reviews.main()

    return call


@pytest.fixture
def kept(tmp_path: Path, a_run: Callable[..., Any]) -> Callable[..., Path]:
    def keep(name: str, *runs: dict[str, Any], failures: tuple[Failure, ...] = ()) -> Path:
        entries = (Entry(name="Spark server", kind="server", version="1", rival=False),)
        race = Race(machine=("m",), entries=entries, runs=tuple(a_run(**run) for run in runs), failures=failures)
        file = tmp_path / name
        file.write_text(json.dumps(dump(race)))
        return file

    return keep


def test_what_was_measured_apart_is_joined_and_written_between_the_marks(
    command: Command, kept: Callable[..., Path], tmp_path: Path
) -> None:
    document = tmp_path / "measured.md"
    document.write_text(f"before\n{reviews.BEGIN}\nold figures\n{reviews.END}\nafter\n")
    one, other = kept("one.json", {"done": 1.0}), kept("other.json", {"done": 2.0, "shape": "60 files"})
    for _ in range(2):
        assert command("--from", one, "--join", other, "--write") == 0
    text = document.read_text()
    assert text.startswith(f"before\n{reviews.BEGIN}\n![")
    assert text.endswith(f"{reviews.END}\nafter\n")
    assert "old figures" not in text
    assert "| 60 files | Spark server |" in text
    assert (tmp_path / "images" / "reviews-fast.svg").read_text().startswith("<svg")


def test_a_race_with_a_failure_ends_with_1(command: Command, kept: Callable[..., Path]) -> None:
    failed = Failure(product="Spark server", speed="fast", shape="1 file", effort="instant", why="no")
    assert command("--from", kept("one.json", failures=(failed,))) == 1


@pytest.mark.parametrize("content", ["{}", "no json", '{"format": 1}'])
def test_a_file_that_is_none_of_ours_is_named(
    command: Command, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)
    with pytest.raises(SystemExit) as left:
        command("--from", file)
    assert left.value.code == 2
    assert str(file) in capsys.readouterr().err


def test_a_document_without_the_marks_is_left_alone(
    command: Command, kept: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "measured.md").write_text("text\n")
    with pytest.raises(SystemExit):
        command("--from", kept("one.json", {}), "--write")
    assert (tmp_path / "measured.md").read_text() == "text\n"
    assert reviews.BEGIN in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["--product", "nobody"], ["--runs", "0"], ["--shape", "7 files"], ["--speed", "slow"]]
)
def test_a_mistake_in_the_arguments_ends_with_2_before_anything_runs(command: Command, wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command(*wrong)
    assert left.value.code == 2


def test_the_document_has_the_marks() -> None:
    text = (Path(__file__).parents[2] / "docs" / "measured.md").read_text()
    assert text.count(reviews.BEGIN) == text.count(reviews.END) == 1
