"""Event, permission and key: what happens. Each row is a test, and docs/reference.md has the same rows.

All rows run in this process; those where a process may differ run once more through `action.yml`, as a runner starts it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from action_stage import KEY, READ_ONLY, Stage

from bot.sandbox.github import talk
from bot.sandbox.github.gestures import destroy_group, queue_merge
from bot.sandbox.github.world import APP_PERMISSIONS

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference.md"
BEGIN, END = "<!-- the table of tests/e2e/action/test_table.py -->", "<!-- its end -->"
GATE = "gate:\n  fail_on: high\n"
US = "github-actions[bot]"
ONE_HIGH = {"two.py": b"import os\n\n\ndef g(b):\n    os.system(f'ls {b}')\n"}

ONE_PATCH = {"one.py": b"def f(a):\n    if a == None:\n        return 1\n    return a\n"}


class Told(StrEnum):
    """Where the findings are."""

    REVIEW = "in the review on the pull request"
    RUN = "in annotations and the summary of the run"
    NOWHERE = "nowhere"


class Token(StrEnum):
    """What `permissions:` of the job gives."""

    ALL = "all"
    READ = "read alone"
    NO_ISSUES = "all but `issues: write`"
    NO_CONTENTS = "all but `contents: write`"
    NO_STATUSES = "all but `statuses: write`"

    @property
    def permissions(self) -> Mapping[str, str]:
        """Of the token."""
        if self is Token.READ:
            return READ_ONLY
        lacks = {Token.NO_ISSUES: "issues", Token.NO_CONTENTS: "contents", Token.NO_STATUSES: "statuses"}.get(self, "")
        return {**APP_PERMISSIONS, **({lacks: "read"} if lacks else {})}


class Key(StrEnum):
    """Of the endpoint."""

    THERE = "there"
    NONE = "none"
    REQUIRED = "none, `require-key`"
    REFUSED = "refused (401)"

    @property
    def inputs(self) -> dict[str, str]:
        """Of the step."""
        none = {"api_key": "", "base_url": ""}
        return {
            Key.THERE: {"api_key": KEY},
            Key.NONE: none,
            Key.REQUIRED: {**none, "require_key": "true"},
            Key.REFUSED: {"api_key": "sk-of-somebody-else"},
        }[self]


Given = tuple[str, Mapping[str, Any]]
"""An event and its payload, as the stand-in tells it."""


# -- what is there before the run ------------------------------------------------------------------------------------


def pull(
    action: str = "opened", event: str = "pull_request", config: str = GATE, **more: Any
) -> Callable[[Stage], Given]:
    """A new pull request with a finding of high severity."""
    return lambda stage: (event, stage.payload("pull_request", action, pull=stage.open(config, **more)))


def closed(stage: Stage) -> Given:
    one = stage.open(GATE)
    stage.repo.close_pull(one.number, by="mona")
    return "pull_request", stage.payload("pull_request", "closed", pull=one)


def comment(body: str, by: str = "mona") -> Callable[[Stage], Given]:
    """A comment in the conversation of a pull request that nobody has reviewed."""

    def given(stage: Stage) -> Given:
        one = stage.open(GATE)
        said = talk.say(stage.repo, one.number, body, by=by)
        return "issue_comment", stage.payload("issue_comment", "created", by=by, pull=one, comment=said)

    return given


def reply(body: str, by: str = "mona", after: Mapping[str, bytes] = ONE_HIGH) -> Callable[[Stage], Given]:
    """A reply in the thread of our one finding."""

    def given(stage: Stage) -> Given:
        one = stage.open(GATE, after=after)
        stage.on_pull(one)
        (thread,) = stage.repo.threads.values()
        said = talk.reply(stage.repo, thread, body, by=by)
        made = stage.payload("pull_request_review_comment", "created", by=by, pull=one, comment=said)
        return "pull_request_review_comment", made

    return given


def group(*, reviewed: bool = True, action: str = "checks_requested") -> Callable[[Stage], Given]:
    """A merge group of one pull request; `reviewed`: by an earlier run."""

    def given(stage: Stage) -> Given:
        one = stage.open(GATE)
        if reviewed:
            stage.on_pull(one)
        made = queue_merge(stage.repo, one.number)
        more = {}
        if action == "destroyed":
            destroy_group(stage.repo, made)
            more = {"reason": "dequeued"}
        return "merge_group", stage.payload("merge_group", action, group=made, **more)

    return given


def other(event: str, *, asked: str | None = None) -> Callable[[Stage], Given]:
    """An event that names no pull request by itself. `asked`: the number that the form of the workflow was given."""

    def given(stage: Stage) -> Given:
        about = stage.payload("pull_request", "opened", pull=stage.open(GATE))
        live = {"repository": about["repository"], "sender": about["sender"]}
        return event, live if asked is None else {**live, "inputs": {"pull": asked}}

    return given


# -- the table -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of it."""

    says: str
    """What is seen, in a sentence."""
    when: str
    """The event, as in the document."""
    given: Callable[[Stage], Given]
    token: Token = Token.ALL
    key: Key = Key.THERE
    inputs: Mapping[str, str] = field(default_factory=dict)
    actor: str = "mona"
    code: int
    verdict: str
    told: Told
    level: str
    """Of the annotation of the run that says what came of it."""
    log: str
    """What that annotation has."""
    warns: str = ""
    """What a warning beside it has; there is none where this is empty."""
    answered: bool = False
    """Somebody is answered on the pull request."""
    calls: bool | None = None
    """Whether the endpoint is asked; not looked at where None."""
    process: bool = False
    """Runs as a process too."""


FAIL = {"code": 1, "verdict": "fail", "level": "error", "log": "of high or above"}
POSTED: dict[str, Any] = {**FAIL, "told": Told.REVIEW}
IN_RUN: dict[str, Any] = {**FAIL, "told": Told.RUN}
NOTHING: dict[str, Any] = {"code": 0, "verdict": "neutral", "told": Told.NOWHERE, "level": "notice", "calls": False}
MISTAKE: dict[str, Any] = {"code": 2, "verdict": "neutral", "told": Told.NOWHERE, "level": "error", "calls": False}
ALONE: dict[str, Any] = {"code": 0, "verdict": "neutral", "level": "warning", "log": "only analyzers", "calls": False}

ROWS = (
    Row(
        says="a pull request is reviewed and its gate fails the job",
        when="`pull_request`",
        given=pull(),
        process=True,
        **POSTED,
    ),
    Row(
        says="findings below the gate are posted and the job is green",
        when="`pull_request`, nothing of the gate's level",
        given=pull(config="gate:\n  fail_on: critical\n"),
        code=0,
        verdict="pass",
        told=Told.REVIEW,
        level="notice",
        log="Pass",
    ),
    Row(
        says="without a key the analyzers review alone and say so",
        when="`pull_request`, no gate",
        given=pull(config=""),
        key=Key.NONE,
        told=Told.REVIEW,
        process=True,
        **ALONE,
    ),
    Row(
        says="what the analyzers find counts for the gate",
        when="`pull_request`",
        given=pull(),
        key=Key.NONE,
        calls=False,
        **POSTED,
    ),
    Row(
        says="a key that is required and missing fails the job before anything is posted",
        when="`pull_request`",
        given=pull(),
        key=Key.REQUIRED,
        process=True,
        log="require-key",
        **MISTAKE,
    ),
    Row(
        says="a key that the endpoint refuses is the workflow's mistake",
        when="`pull_request`",
        given=pull(),
        key=Key.REFUSED,
        code=2,
        verdict="neutral",
        told=Told.NOWHERE,
        level="error",
        log="key",
    ),
    Row(
        says="a token that reads alone leaves the findings in the run and names the permission",
        when="`pull_request`",
        given=pull(),
        token=Token.READ,
        warns="Give the job the permission pull-requests: write",
        **IN_RUN,
    ),
    Row(
        says="a review needs no issues to be written",
        when="`pull_request`",
        given=pull(),
        token=Token.NO_ISSUES,
        **POSTED,
    ),
    Row(
        says="a review needs no contents to be written",
        when="`pull_request`",
        given=pull(),
        token=Token.NO_CONTENTS,
        **POSTED,
    ),
    Row(
        says="a review needs no status to be written",
        when="`pull_request`",
        given=pull(),
        token=Token.NO_STATUSES,
        **POSTED,
    ),
    Row(
        says="a fork's findings are in the run and its gate counts",
        when="`pull_request` of a fork",
        given=pull(fork="ann"),
        token=Token.READ,
        process=True,
        **IN_RUN,
    ),
    Row(
        says="a fork without the key is reviewed by the analyzers in the run",
        when="`pull_request` of a fork, no gate",
        given=pull(fork="ann", config=""),
        token=Token.READ,
        key=Key.NONE,
        told=Told.RUN,
        **ALONE,
    ),
    Row(
        says="a fork without the key fails where the key is required",
        when="`pull_request` of a fork",
        given=pull(fork="ann"),
        token=Token.READ,
        key=Key.REQUIRED,
        log="are given no secrets",
        **MISTAKE,
    ),
    Row(
        says="what Dependabot starts has neither key nor a token that writes",
        when="`pull_request` by Dependabot, no gate",
        given=pull(config=""),
        token=Token.READ,
        key=Key.NONE,
        actor="dependabot[bot]",
        told=Told.RUN,
        **ALONE,
    ),
    Row(
        says="a fork's review is posted under pull_request_target",
        when="`pull_request_target` of a fork",
        given=pull(event="pull_request_target", fork="ann"),
        **POSTED,
    ),
    Row(
        says="a closed pull request is left alone", when="`pull_request`, closed", given=closed, log="closed", **NOTHING
    ),
    Row(
        says="who may write asks for a review and gets it",
        when="`issue_comment` `/spark review`",
        given=comment("/spark review"),
        code=0,
        verdict="fail",
        told=Told.REVIEW,
        level="error",
        log="of high or above",
        process=True,
    ),
    Row(
        says="a review that was asked for fails the job where its verdict cannot be a status",
        when="`issue_comment` `/spark review`",
        given=comment("/spark review"),
        token=Token.NO_STATUSES,
        **POSTED,
    ),
    Row(
        says="a comment that is no command is nothing to us",
        when="`issue_comment` without a command",
        given=comment("Looks good to me."),
        log="",
        **NOTHING,
    ),
    Row(
        says="a stranger's command is refused in an answer",
        when="`issue_comment` `/spark review` by a stranger",
        given=comment("/spark review", by="stranger"),
        answered=True,
        log="",
        **NOTHING,
    ),
    Row(
        says="an answer in the conversation needs no issues to be written",
        when="`issue_comment` `/spark help`",
        given=comment("/spark help"),
        token=Token.NO_ISSUES,
        answered=True,
        log="",
        **NOTHING,
    ),
    Row(
        says="a command in a thread is answered there",
        when="`pull_request_review_comment` `/spark ignore`",
        given=reply("/spark ignore b is ours"),
        code=0,
        verdict="pass",
        told=Told.REVIEW,
        level="notice",
        log="",
        answered=True,
        calls=False,
    ),
    Row(
        says="a commit that the token may not make is refused with the permission it takes",
        when="`pull_request_review_comment` `/spark fix --commit`",
        given=reply("/spark fix --commit", after=ONE_PATCH),
        token=Token.NO_CONTENTS,
        code=0,
        verdict="pass",
        told=Told.REVIEW,
        level="notice",
        log="",
        answered=True,
    ),
    Row(
        says="a merge group whose changes were reviewed has their verdict at once",
        when="`merge_group`, its pull request reviewed",
        given=group(),
        calls=False,
        **{**FAIL, "told": Told.RUN},
    ),
    Row(
        says="a merge group of a pull request that nobody reviewed is reviewed",
        when="`merge_group`, not reviewed before",
        given=group(reviewed=False),
        **IN_RUN,
    ),
    Row(
        says="a group that was dissolved is left alone",
        when="`merge_group`, destroyed",
        given=group(action="destroyed"),
        log="destroyed",
        **NOTHING,
    ),
    Row(
        says="a number typed into the workflow's form is reviewed",
        when="`workflow_dispatch` with a number",
        given=other("workflow_dispatch", asked="1"),
        process=True,
        **POSTED,
    ),
    Row(
        says="a form without a number is the workflow's mistake",
        when="`workflow_dispatch` without a number",
        given=other("workflow_dispatch", asked=""),
        log="names no pull request",
        **MISTAKE,
    ),
    Row(
        says="a push names no pull request",
        when="`push`",
        given=other("push"),
        log="the event push names no pull request",
        process=True,
        **MISTAKE,
    ),
    Row(
        says="a push with a number reviews that pull request",
        when="`push` with the input `pull`",
        given=other("push"),
        inputs={"pull": "1"},
        **POSTED,
    ),
)


def seen(stage: Stage, ran: Any, page: str, before: int) -> dict[str, Any]:
    """What the run did, in the words of the table."""
    ours = {each.id: each for each in stage.reviews() if "<!-- spark:review" in each.body}
    new = [each for each in ours if each > before]
    named = ran.outputs["review-url"].rpartition("-")[2]
    in_run = ran.beside and ("### Findings" in page or "Still open: " in page)
    told = Told.REVIEW if named else Told.RUN if in_run else Told.NOWHERE
    if named:
        assert int(named) in ours
    assert not new or new == [int(named)]
    assert not (named and ran.beside), "a finding is told twice"
    answers = [*stage.repo.issue_comments.values(), *stage.repo.comments.values()]
    answered = any(each.id > before and each.author.login == US for each in answers) and not new
    return {"code": ran.code, "verdict": ran.outputs["verdict"], "told": told, "answered": answered}


def check(row: Row, stage: Stage, real: Any, start: Callable[..., Any]) -> None:
    """Run the row by `start` and hold what is seen against it."""
    stage.github.world.user("stranger")
    event, live = row.given(stage)
    stage.permit(row.token.permissions)
    before, asked = stage.github.world.next_id(), len(stage.endpoint.requests)
    ran = start(event, real(event, live), row)
    page = ran.summary if hasattr(ran, "summary") else ran.page
    found = seen(stage, ran, page, before)
    assert found == {name: getattr(row, name) for name in found}, ran.log
    assert any(row.log in said for said in ran.said(row.level)), ran.log
    assert page.startswith("## Spark · ")
    if row.key is Key.NONE:
        assert "no model" in page
    if row.calls is not None:
        assert (len(stage.endpoint.requests) > asked) == row.calls
    if row.level != "warning":
        warnings = ran.said("warning")
        assert (len(warnings), row.warns in "".join(warnings)) == (1 if row.warns else 0, True), ran.log


@pytest.mark.parametrize("row", ROWS, ids=[row.says for row in ROWS])
def test_in_this_process(row: Row, stage: Stage, real: Any) -> None:
    check(
        row,
        stage,
        real,
        lambda event, payload, row: stage.run(
            event, payload, env={"GITHUB_ACTOR": row.actor}, **{**row.key.inputs, **row.inputs}
        ),
    )


PROCESSES = [row for row in ROWS if row.process]


@pytest.mark.parametrize("row", PROCESSES, ids=[row.says for row in PROCESSES])
def test_as_a_runner_starts_it(row: Row, stage: Stage, real: Any, job: Any) -> None:
    check(
        row,
        stage,
        real,
        lambda event, payload, row: job(event, payload, actor=row.actor, **{**row.key.inputs, **row.inputs}),
    )


def table() -> str:
    """The rows as the document has them."""
    lines = ["| event | token | key | exit code | verdict | findings | so |", "|---|---|---|---|---|---|---|"]
    lines += [
        f"| {row.when} | {row.token} | {row.key} | {row.code} | {row.verdict} | {row.told} | {row.says} |"
        for row in ROWS
    ]
    return "\n".join(lines)


def test_the_document_has_these_rows() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert BEGIN in text, f"put the table into {DOCUMENT.name}:\n{BEGIN}\n\n{table()}\n\n{END}"
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == table()
