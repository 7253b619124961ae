"""`spark demo` runs the whole job, shows it, and leaves nothing behind."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from bot.errors import UserError

QUICK = ("--tps", "20000", "--ttft", "0.01")


@pytest.fixture
def scene(desk, tmp_path):
    """The desk, and its folder for temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    desk.env["TMPDIR"] = str(folder)
    return folder


def left_of(folder: Path) -> list[str]:
    """Processes that work in a folder, and the files in it."""
    places = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            places.append(str((process / "cwd").readlink()))
        except OSError:
            continue
    return [place for place in places if place.startswith(str(folder))] + [str(path) for path in folder.iterdir()]


def seconds_of(out: str, what: str) -> float:
    found = re.search(rf"^ *(\d+\.\d\d)  .*{re.escape(what)}", out, re.MULTILINE)
    assert found, f"{what!r} is not in the timeline:\n{out}"
    return float(found[1])


def test_the_demo_reviews_a_pull_by_its_webhook_answers_commands_and_writes_the_pages(desk, scene):
    ended = desk.spark("demo", "--output", "pages", *QUICK)
    assert (ended.code, ended.err) == (0, "")
    order = [
        "mona opens library/shelf#1",
        "the webhook is answered 202",
        "the diff is read: 6 files, +82 -4",
        "shelf/store.py:20",
        "the review is posted",
        "the check is closed: success",
    ]
    moments = [seconds_of(ended.out, what) for what in order]
    assert moments == sorted(moments)
    assert seconds_of(ended.out, "the check spark is on the pull request") < seconds_of(ended.out, "is closed")
    count = len(re.findall(r"^ *\d+\.\d\d    (?:critical|high|medium|low) ", ended.out, re.MULTILINE))
    assert f"1 review with {count} line comments, 1 check: success" in ended.out
    said = ended.out.partition("Talk to it")[2]
    fix, everything = said.split("mona writes in the conversation: /spark fix all")
    assert seconds_of(fix, "Spark reacts: 👀") < 1
    assert re.search(r"answers with a suggestion, applied and parsed:\n +rows = .* = \?\", \(author,\)", fix)
    talk = ["Spark reacts: 👀", "Spark pushes one commit", "the new head is reviewed", "Fixed in", "and resolves it"]
    moments = [seconds_of(everything, what) for what in talk]
    assert moments == sorted(moments)
    assert moments[0] < 1
    assert re.search(r"Spark answers: Committed [0-9a-f]{7}: 9 findings in 4 files\.", everything)
    for name in ("live", "pull-request", "check", "report", "conversation"):
        page = desk.path / "pages" / f"{name}.html"
        assert str(page.relative_to(desk.path)) in ended.out
        text = page.read_text("utf-8")
        assert "shelf/store.py" in text
        assert not re.search(r"<script\b[^>]*\bsrc=|<link\b[^>]*stylesheet", text), name
    assert left_of(scene) == []


def test_a_demo_that_is_kept_has_its_pages_up_until_ctrl_c(desk, scene):
    running = desk.start("demo", "--keep", "--effort", "instant", *QUICK)
    running.read_until("Ctrl-C ends it.")
    told = dict(re.findall(r"^(\S.*?)  +(http://\S+)", "".join(line for _, line in running.lines), re.MULTILINE))
    for name in ("live page", "all reviews", "pull request", "its check"):
        with urllib.request.urlopen(told[name], timeout=10) as answer:
            assert answer.status == 200, name
    assert left_of(scene) != []
    running.process.send_signal(signal.SIGINT)
    ended = running.end()
    assert (ended.code, ended.err) == (130, "spark: interrupted\n")
    assert left_of(scene) == []


def test_a_demo_that_is_ended_while_the_server_starts_leaves_no_process(desk, scene):
    running = desk.start("demo", *QUICK)
    running.read_until("endpoint  ")
    deadline = time.monotonic() + 20
    while not left_of(scene):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    running.process.terminate()
    assert running.end().code == 130
    assert left_of(scene) == []


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_started(desk, scene):
    (desk.path / "taken").write_text("")
    ended = desk.spark("demo", "--output", "taken/pages")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("spark: --output taken/pages cannot be made")


def test_a_missing_package_of_the_server_is_named_with_its_remedy(monkeypatch):
    from bot.cli import demo

    monkeypatch.setitem(sys.modules, "gunicorn", None)
    with pytest.raises(UserError, match=r"needs the package gunicorn.*\n?.*cli,server,sandbox"):
        demo.run(argparse.Namespace())
