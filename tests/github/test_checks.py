"""Check runs: opened once, growing, closed once, inside GitHub's limits whatever is said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import NotPermittedError, OutsideError
from bot.github import limits
from bot.github.annotations import Annotation, Level, annotation_json
from bot.github.check_json import output_json
from bot.github.checks import Action, CheckRuns, Conclusion
from bot.sandbox.github import Fault, Kind, gestures

REPO = "acme/shop"
JOB = "0123456789abcdef"
POST = f"POST /repos/{REPO}/check-runs"
PATCH = f"PATCH /repos/{REPO}/check-runs/*"


class Bench:
    """A pull with an App on it, and the check runs of one job."""

    def __init__(self, desk, key):
        self.desk = desk
        self.installation = desk.install(key)
        self.head = desk.pull({"a.py": "".join(f"a{n} = {n}\n" for n in range(200))}).head_sha
        self.client = desk.app(key).client(self.installation.id, REPO)
        self.stop = desk.clock.stop()
        self.checks = self.again()

    def again(self):
        return CheckRuns(self.client, REPO, stop=self.stop)

    def open(self, checks=None, **more):
        asked = {
            "head": self.head,
            "external_id": JOB,
            "details_url": "https://spark.example/reviews/1",
            "title": "Reviewing",
            "summary": "0 of 2 files",
            "again": False,
        } | more
        return (checks or self.checks).open(**asked)

    def runs(self):
        return gestures.check_runs(self.desk.repo, self.head)

    @property
    def only(self):
        (run,) = self.runs()
        return run


@pytest.fixture
def bench(desk, key):
    return Bench(desk, key)


def note(number, **more):
    return Annotation(
        **{
            "path": "a.py",
            "start_line": number,
            "end_line": number,
            "level": Level.WARNING,
            "title": f"Finding {number}",
            "message": f"Line {number} is wrong.",
        }
        | more
    )


def messages(run):
    return [entry["message"] for entry in run.annotations]


def test_a_check_is_opened_with_one_request_and_shows_where_it_comes_from(bench) -> None:
    run = bench.open()
    assert (bench.only.id, bench.only.name, bench.only.status) == (run.id, "spark", "in_progress")
    assert run.url.endswith(f"/acme/shop/runs/{run.id}")
    assert (bench.only.external_id, bench.only.details_url) == (JOB, "https://spark.example/reviews/1")
    assert (bench.only.title, bench.only.summary) == ("Reviewing", "0 of 2 files")
    assert bench.only.started_at
    assert [seen.method for seen in bench.desk.sent("", "check-runs")] == ["POST"]


def test_a_check_grows_and_is_closed_with_its_buttons(bench) -> None:
    run = bench.open(details_url=None)
    assert bench.checks.update(run, title="Reviewing", summary="1 finding", annotations=[note(1)])
    # All so far may be told again and again.
    assert bench.checks.update(run, title="Reviewing", summary="2 findings", annotations=[note(1), note(2)])
    assert messages(bench.only) == ["Line 1 is wrong.", "Line 2 is wrong."]
    button = Action(label="Deep review", description="Again, with more thought", identifier="deep")
    bench.checks.close(
        run,
        conclusion=Conclusion.FAILURE,
        title="3 findings",
        summary="Sum",
        text="Text",
        annotations=[note(1), note(2), note(3), note(3)],
        actions=[button],
    )
    done = bench.only
    assert (done.status, done.conclusion, done.title, done.text) == ("completed", "failure", "3 findings", "Text")
    assert messages(done) == ["Line 1 is wrong.", "Line 2 is wrong.", "Line 3 is wrong."]
    assert done.actions == [{"label": "Deep review", "description": "Again, with more thought", "identifier": "deep"}]
    gestures.press(bench.desk.repo, done, "deep")


def test_many_annotations_go_in_requests_of_fifty_and_the_last_has_the_conclusion(bench) -> None:
    run = bench.open()
    wanted = [note(number) for number in range(1, 121)]
    assert bench.checks.update(run, title="t", summary="s", annotations=wanted)
    bench.checks.close(run, conclusion=Conclusion.SUCCESS, title="t", summary="s", annotations=wanted)
    sent = [seen.json for seen in bench.desk.sent("PATCH")]
    assert [len(body["output"]["annotations"]) for body in sent] == [50, 50, 20]
    assert [body.get("conclusion") for body in sent] == [None, None, "success"]
    assert len(messages(bench.only)) == len(set(messages(bench.only))) == 120


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_an_answer_lost_while_closing_adds_no_annotation_twice(bench, skip) -> None:
    run = bench.open()
    bench.desk.server.faults.add(Fault(match=PATCH, kind=Kind.CUT, when="after", skip=skip))
    wanted = [note(number) for number in range(1, 121)]
    bench.checks.close(run, conclusion=Conclusion.NEUTRAL, title="t", summary="s", annotations=wanted)
    assert (bench.only.conclusion, len(messages(bench.only)), len(set(messages(bench.only)))) == ("neutral", 120, 120)


def test_an_update_lost_on_the_way_is_told_by_the_next(bench) -> None:
    run = bench.open()
    bench.desk.server.faults.add(Fault(match=PATCH, kind=Kind.CUT, when="after"))
    bench.desk.server.faults.add(Fault(match=PATCH, status=502))
    limited = Fault(match=PATCH, status=403, message="You have exceeded a secondary rate limit.")
    bench.desk.server.faults.add(limited)
    notes = [note(1), note(2), note(3)]
    told = [bench.checks.update(run, title="t", summary=f"{n}", annotations=notes[:n]) for n in (1, 2, 3)]
    assert told == [False, False, False]
    assert bench.desk.clock.waits == []
    assert bench.checks.update(run, title="t", summary="all", annotations=notes)
    assert (bench.only.summary, messages(bench.only)) == ("all", [f"Line {n} is wrong." for n in (1, 2, 3)])


def test_an_update_does_not_wait_long_for_a_silent_github(desk, key) -> None:
    installation = desk.install(key)
    head = desk.pull({"a.py": "a\n"}).head_sha
    client = desk.app(key, read_seconds=0.2).client(installation.id, REPO)
    checks = CheckRuns(client, REPO, stop=desk.clock.stop())
    run = checks.open(head=head, external_id=JOB, details_url=None, title="t", summary="s", again=False)
    desk.server.faults.add(Fault(match=PATCH, kind=Kind.STALL, seconds=1.5))
    assert not checks.update(run, title="t", summary="s")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": Kind.CUT, "when": "after"},
        {"kind": Kind.CUT, "when": "before"},
        {"status": 502, "when": "after"},
        {"status": 502, "when": "before"},
        {"status": 429, "headers": {"Retry-After": "5"}},
    ],
)
def test_a_check_is_made_once_whatever_becomes_of_the_answer(bench, fault) -> None:
    bench.desk.server.faults.add(Fault(match=POST, **fault))
    assert bench.open().id == bench.only.id
    assert (bench.desk.clock.waits[:1] == [5.0]) is (fault.get("status") == 429)


def test_a_lost_answer_is_not_followed_by_another_post_while_the_head_cannot_be_seen(bench) -> None:
    bench.desk.server.faults.add(Fault(match=POST, status=502, when="after", times=None))
    bench.desk.server.faults.add(Fault(match="GET /repos/*/check-runs", kind=Kind.CUT, times=None))
    with pytest.raises(OutsideError, match="whether it arrived could not be seen"):
        bench.open()
    assert len(bench.desk.sent("POST", "/check-runs")) == 1
    bench.desk.server.faults.clear()
    assert bench.open(again=True).id == bench.only.id


def test_a_github_that_stays_down_is_asked_a_few_times_for_a_check(bench) -> None:
    bench.desk.server.faults.add(Fault(match=POST, status=502, times=None))
    with pytest.raises(OutsideError, match="502 while opening the check"):
        bench.open()
    assert len(bench.desk.sent("POST", "/check-runs")) == limits.CHECK_TRIES


def test_a_job_that_runs_again_takes_up_its_own_check_and_no_other(bench, key) -> None:
    first = bench.open()
    other = bench.open(external_id="f" * 16)
    bench.checks.update(first, title="t", summary="s", annotations=[note(1)])
    bench.checks.close(first, conclusion=Conclusion.CANCELLED, title="t", summary="s")
    rerun = bench.again()
    run = bench.open(rerun, again=True, title="Again")
    assert run == first
    shown = gestures.run_by_id(bench.desk.repo, first.id)
    assert (shown.status, shown.conclusion, shown.title) == ("in_progress", None, "Again")
    rerun.close(run, conclusion=Conclusion.SUCCESS, title="t", summary="s", annotations=[note(1), note(2)])
    assert messages(shown) == ["Line 1 is wrong.", "Line 2 is wrong."]
    assert len(bench.runs()) == 2
    assert bench.checks.find(head=bench.head, external_id="f" * 16) == other
    assert bench.checks.find(head=bench.head, external_id="e" * 16) is None


def test_a_check_of_the_same_name_by_another_app_is_not_taken_up(bench) -> None:
    world = bench.desk.world
    world.actions_token(REPO, "job")
    body = {"name": "spark", "head_sha": bench.head, "external_id": JOB}
    theirs = bench.desk.client("job").call("POST", f"/repos/{REPO}/check-runs", stop=bench.stop, body=body)
    assert bench.open(again=True).id != theirs.json()["id"]


def test_closing_is_repeated_while_github_is_down_and_waits_as_it_is_told(bench) -> None:
    run = bench.open()
    bench.desk.server.faults.add(Fault(match=PATCH, status=502, times=2))
    bench.desk.server.faults.add(Fault(match=PATCH, status=429, headers={"Retry-After": "7"}))
    bench.checks.close(run, conclusion=Conclusion.SUCCESS, title="t", summary="s", annotations=[note(1)])
    assert (bench.only.conclusion, len(messages(bench.only))) == ("success", 1)
    assert bench.desk.clock.waits == [0.5, 1.0, 7.0]


def test_annotations_that_github_refuses_do_not_keep_the_check_open(bench) -> None:
    run = bench.open()
    bench.desk.server.faults.add(Fault(match=PATCH, status=422, contains="annotations", times=None))
    assert bench.checks.update(run, title="t", summary="s", annotations=[note(1)])
    bench.checks.close(run, conclusion=Conclusion.NEUTRAL, title="t", summary="done", annotations=[note(1), note(2)])
    assert (bench.only.conclusion, bench.only.summary, messages(bench.only)) == ("neutral", "done", [])
    # The one that was refused once was not sent again.
    assert [len(body["output"].get("annotations", ())) for body in (s.json for s in bench.desk.sent("PATCH"))] == [
        1,
        0,
        1,
        0,
    ]


def test_annotations_that_github_cannot_take_do_not_keep_the_check_open(bench) -> None:
    run = bench.open()
    bench.desk.server.faults.add(Fault(match=PATCH, status=502, contains="annotations", times=None))
    bench.checks.close(run, conclusion=Conclusion.NEUTRAL, title="t", summary="s", annotations=[note(1)])
    assert (bench.only.conclusion, messages(bench.only)) == ("neutral", [])


def test_a_check_that_cannot_be_closed_is_an_error(bench) -> None:
    run = bench.open()
    bench.desk.server.faults.add(Fault(match=PATCH, status=503, times=None))
    with pytest.raises(OutsideError, match="503 while closing the check"):
        bench.checks.close(run, conclusion=Conclusion.SUCCESS, title="t", summary="s")
    assert len(bench.desk.sent("PATCH")) == limits.CHECK_TRIES
    bench.stop.cancel()
    with pytest.raises(OutsideError):
        bench.checks.close(run, conclusion=Conclusion.SUCCESS, title="t", summary="s")
    # Another time to live than the job's, which is over.
    bench.desk.server.faults.clear()
    bench.checks.close(run, conclusion=Conclusion.CANCELLED, title="t", summary="s", stop=bench.desk.clock.stop())
    assert bench.only.conclusion == "cancelled"


def test_an_app_that_was_removed_may_not_write_any_more(bench) -> None:
    run = bench.open()
    bench.desk.world.uninstall(bench.installation)
    for write in (
        lambda: bench.checks.update(run, title="t", summary="s"),
        lambda: bench.checks.close(run, conclusion=Conclusion.SUCCESS, title="t", summary="s"),
        bench.open,
    ):
        with pytest.raises(NotPermittedError, match="Install the App"):
            write()


def test_a_token_without_the_permission_is_told_which_one(bench) -> None:
    bench.desk.world.actions_token(REPO, "job", {"contents": "read"})
    checks = CheckRuns(bench.desk.client("job"), REPO, stop=bench.stop)
    with pytest.raises(NotPermittedError, match="checks=write"):
        bench.open(checks)


def test_a_check_run_that_says_too_much_is_cut_and_taken(bench) -> None:
    run = bench.open(title="t" * 400, summary="")
    long = "é" * 200 + "\n"
    bench.checks.close(
        run,
        conclusion=Conclusion.SUCCESS,
        title="",
        summary=long * 400,
        text="```\n" + long * 400,
        annotations=[note(1, title="x" * 300, message="é" * 40_000), note(0, end_line=-3, title="", message=" ")],
    )
    done = bench.only
    assert "longer than GitHub allows" in done.summary
    assert len(done.summary.encode()) <= 65_535
    first, second = done.annotations
    assert (len(first["title"]), first["title"][-1], first["message"][-1]) == (255, "…", "…")
    assert (second["start_line"], second["end_line"]) == (1, 1)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=()), max_size=80),
    times=st.integers(0, 3000),
    start=st.integers(-3, 9),
    end=st.integers(-3, 9),
)
def test_whatever_is_said_fits_github_s_limits(contract_checker, text, times, start, end) -> None:
    shown = output_json(text, text * times, text * times)
    for part in ("summary", "text"):
        assert len(shown.get(part, "").encode()) <= limits.MAX_CHECK_TEXT
    entry = annotation_json(
        Annotation(path="a", start_line=start, end_line=end, level=Level.NOTICE, title=text * 9, message=text * times)
    )
    assert len(entry["message"].encode()) <= limits.MAX_ANNOTATION_BYTES
    assert entry["end_line"] >= entry["start_line"] >= 1
    body = {"output": shown | {"annotations": [entry]}}
    validator = contract_checker.request_validator("PATCH /repos/{}/{}/check-runs/{}")
    assert [error.message for error in validator.iter_errors(body)] == []


@pytest.mark.parametrize(
    "wrong",
    [{"label": ""}, {"label": "x" * 21}, {"description": "x" * 41}, {"identifier": "x" * 21}, {"identifier": ""}],
)
def test_a_button_that_github_would_refuse_cannot_be_made(wrong) -> None:
    with pytest.raises(ValueError, match="more than"):
        Action(**{"label": "l", "description": "d", "identifier": "i"} | wrong)


def test_a_fourth_button_is_refused_before_anything_is_sent(bench) -> None:
    run = bench.open()
    button = Action(label="l", description="d", identifier="i")
    with pytest.raises(ValueError, match="4 actions"):
        bench.checks.close(run, conclusion=Conclusion.SUCCESS, title="t", summary="s", actions=[button] * 4)
    assert bench.desk.sent("PATCH") == []


def test_our_limits_and_conclusions_are_those_of_github_s_contract(contract_checker) -> None:
    schema = contract_checker.contract("openapi")["operations"]["POST /repos/{}/{}/check-runs"]["request"]["properties"]
    output, actions = schema["output"]["properties"], schema["actions"]
    assert output["annotations"]["maxItems"] == limits.MAX_ANNOTATIONS
    assert output["summary"]["maxLength"] == output["text"]["maxLength"] == limits.MAX_CHECK_TEXT
    assert actions["maxItems"] == limits.MAX_CHECK_ACTIONS
    lengths = {name: one["maxLength"] for name, one in actions["items"]["properties"].items()}
    assert lengths == {
        "label": limits.MAX_ACTION_LABEL,
        "description": limits.MAX_ACTION_DESCRIPTION,
        "identifier": limits.MAX_ACTION_IDENTIFIER,
    }
    assert {str(each) for each in Conclusion} == set(schema["conclusion"]["enum"]) - {"stale"}
    levels = output["annotations"]["items"]["properties"]["annotation_level"]["enum"]
    assert {str(each) for each in Level} == set(levels)
