from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.edits import Span, apply, source_lines
from bot.commands.fix_plan import FindingPatch, choose, clusters, lay, lay_what_parses, struck
from bot.commands.model import Reaction
from bot.diff.anchors import line_hash
from bot.errors import OutsideError
from bot.review.config import Role
from bot.review.memory import KnownFinding, PastReview, Thread
from bot.review.model import Severity
from bot.review.ports import CallKind, Prompt, StreamEnd
from bot.review.recall import line_digest
from bot.review.render.markers import read_keys

if TYPE_CHECKING:
    from conftest import MakeWorld, World

NOTHING = '{"none": true}\n{"end": true}'
BASE = {f"src/part_{number}.py": f"def part_{number}(items):\n    pass\n" for number in range(3)}
HEAD = {
    path: text.replace(
        "    pass\n", "    if items == None:\n        return []\n    count = len(items)\n    return count\n"
    )
    for path, text in BASE.items()
}
NONE, COUNT = "    if items == None:", "    count = len(items)"
BETTER = "    if items is None:"


def tag(text: str, number: int) -> str:
    return f"R{number}#{line_hash(source_lines(text)[number - 1].text)}"


def model(
    *, fix: Callable[[Prompt], str] | None = None, review: Callable[[Prompt], str] | None = None, check: str = "real"
) -> Callable[[Prompt, int], object]:
    """A model whose reviews find nothing, unless told otherwise."""

    def script(prompt: Prompt, _before: int) -> object:
        if prompt.kind is CallKind.FIX:
            assert fix is not None
            return fix(prompt)
        if prompt.kind is CallKind.CHECK:
            return json.dumps({"analysis": "As reported.", "verdict": check})
        assert prompt.kind is CallKind.REVIEW
        return review(prompt) if review is not None else NOTHING

    return script


def found(
    world: World,
    number: int = 0,
    *,
    line: int = 2,
    code: str = NONE,
    patch: str | None = BETTER,
    title: str = "Compared with ==",
    severity: Severity = Severity.MEDIUM,
) -> Thread:
    return world.finding(
        title,
        path=f"src/part_{number}.py",
        line=line,
        lines=[line_digest(code)],
        suggestion=patch,
        severity=severity,
    )


@pytest.fixture
def pull(make_world: MakeWorld) -> Callable[..., World]:
    def make(script: object = None, head: Mapping[str, str] = HEAD, **given: object) -> World:
        return make_world(base=BASE, head=head, script=script or model(), **given)

    return make


def test_every_patch_goes_into_one_commit_that_was_reviewed_again(pull: Callable[..., World]) -> None:
    world = pull()
    threads = [found(world, number) for number in range(3)]
    lonely = found(world, 1, line=4, code=COUNT, patch=None, title="Counted for nothing")
    head = world.branch.head()

    outcome = world.says("/spark fix all")

    [made] = world.branch.made
    assert made.expected_head == head
    assert made.files == {path: text.replace(NONE, BETTER).encode() for path, text in HEAD.items()}
    assert made.headline == "Apply 3 suggested fixes"
    assert "Spark-Command: conversation-" in made.body
    assert outcome.what == "committed"
    assert outcome.commit == world.branch.head()
    reviews = world.model.asked(CallKind.REVIEW)
    assert {path for path in HEAD if any(path in prompt.user for prompt in reviews)} == set(HEAD)
    assert all(f"+{tag(HEAD['src/part_0.py'].replace(NONE, BETTER), 2)}|{BETTER}" in prompt.user for prompt in reviews)
    assert "3 findings in 3 files" in world.last
    assert all(thread.url in world.last for thread in threads)
    assert "**Without a patch (1)**" in world.last
    assert lonely.url in world.last
    assert "nothing critical or high was found" in world.last
    assert outcome.usd == pytest.approx(0.001 * len(reviews))
    ref = world.talk.answers[-1].ref
    assert ref is not None
    assert world.talk.reactions_to(ref) == [Reaction.SEEN, Reaction.DONE]


@pytest.mark.parametrize(("where", "marked"), [("in it", True), ("not in it", False), ("the conversation", False)])
def test_said_in_the_thread_of_a_finding_that_goes_in_the_answer_is_marked_as_its_commit(
    pull: Callable[..., World], where: str, marked: bool
) -> None:
    world = pull()
    inside, lonely = found(world), found(world, 1, line=4, code=COUNT, patch=None, title="Counted for nothing")
    thread = {"in it": inside, "not in it": lonely}.get(where)
    outcome = world.says("/spark fix all", thread=thread) if thread is not None else world.says("/spark fix all")
    assert outcome.commit is not None
    keys = read_keys(world.talk.answers[-1].body, "step")
    assert (f"committed-{outcome.commit[:12]}" in keys) is marked


def test_a_patch_that_was_asked_for_in_a_thread_is_taken_with_the_others(pull: Callable[..., World]) -> None:
    at = tag(HEAD["src/part_1.py"], 2)
    edit = json.dumps({"from": at, "to": at, "text": BETTER})
    world = pull(model(fix=lambda _prompt: f'{edit}\n{{"end": true}}'))
    found(world, 0)
    asked = found(world, 1, patch=None)
    world.says("/spark fix", thread=asked)

    world.says("/spark fix all")

    assert set(world.branch.made[0].files) == {"src/part_0.py", "src/part_1.py"}
    assert "**Without a patch" not in world.last


@pytest.mark.parametrize(
    ("config", "reviewed", "ordered"),
    [
        ("review:\n  on: [opened, command]\n", True, 1),
        ("review:\n  on: [opened, command]\n", False, 0),
        ("", True, 0),
    ],
)
def test_our_commit_is_looked_at_also_where_a_push_is_not(
    pull: Callable[..., World], config: str, reviewed: bool, ordered: int
) -> None:
    world = pull(config=config)
    found(world, 0)
    if reviewed:
        head = world.branch.head()
        world.talk.last = PastReview(id=1, url="u", head=head, base=head, round=1, rules="", seen=None, body="")
    assert world.says("/spark fix all").what == "committed"
    assert world.reviews.judged == ordered


def test_patches_of_other_lines_of_one_file_go_together_and_equal_ones_are_one(pull: Callable[..., World]) -> None:
    world = pull()
    found(world, line=2)
    found(world, line=2, title="Not idiomatic")
    found(world, line=4, code=COUNT, patch="    count = sum(1 for _ in items)")

    world.says("/spark fix all")

    text = HEAD["src/part_0.py"].replace(NONE, BETTER).replace(COUNT, "    count = sum(1 for _ in items)")
    assert world.branch.made[0].files == {"src/part_0.py": text.encode()}
    assert "had the same patch" in world.last
    assert "3 findings in 1 file" in world.last


def test_what_was_dismissed_resolved_or_closed_is_left_alone(pull: Callable[..., World]) -> None:
    world = pull()
    thread = found(world, 0)
    world.talk.threads[thread.id] = replace(thread, is_resolved=True, resolved_by="ada")
    found(world, 1)

    world.says("/spark fix all")

    assert set(world.branch.made[0].files) == {"src/part_1.py"}


def test_a_finding_whose_code_changed_is_named(pull: Callable[..., World]) -> None:
    world = pull()
    found(world, 0)
    gone = found(world, 1, code="    if items != None:", title="Gone meanwhile")

    world.says("/spark fix all")

    assert set(world.branch.made[0].files) == {"src/part_0.py"}
    assert f"- Gone meanwhile ([thread]({gone.url})): the code that it was about has changed since." in world.last


def test_equal_lines_belong_each_to_its_own_finding(make_world: MakeWorld) -> None:
    base = "def f(a):\n    pass\n\n\ndef g(a):\n    pass\n"
    head = base.replace("    pass\n", "    return a == None\n")
    world = make_world(base={"a.py": base}, head={"a.py": head}, script=model())
    twin, digest = "    return a == None", line_digest("    return a == None")
    world.finding("First", path="a.py", line=2, lines=[digest])
    world.finding("Second", path="a.py", line=6, lines=[digest], suggestion="    return a is None")

    world.says("/spark fix all")

    assert world.branch.made[0].files == {"a.py": f"def f(a):\n{twin}\n\n\ndef g(a):\n    return a is None\n".encode()}


# -- patches that touch each other ------------------------------------------------------------------------------------


def conflict(world: World) -> tuple[Thread, Thread]:
    """Two patches of one line, and a third one in another file."""
    found(world, 1)
    return (
        found(world, title="Compared with ==", severity=Severity.MEDIUM),
        found(world, patch="    if not items:", title="Empty is not met", severity=Severity.HIGH),
    )


def test_patches_that_touch_are_brought_together_by_the_model(pull: Callable[..., World]) -> None:
    text = HEAD["src/part_0.py"]

    def fix(prompt: Prompt) -> str:
        assert "| medium bug: Compared with ==" in prompt.user
        assert "| high bug: Empty is not met" in prompt.user
        assert "|     if not items:" in prompt.user
        edit = {"from": tag(text, 2), "to": tag(text, 2), "text": "    if items is None or not items:"}
        return json.dumps(edit) + '\n{"end": true}'

    world = pull(model(fix=fix))
    conflict(world)

    world.says("/spark fix all")

    assert (
        world.branch.made[0].files["src/part_0.py"] == text.replace(NONE, "    if items is None or not items:").encode()
    )
    assert "touched each other and were brought together" in world.last
    assert "3 findings in 2 files" in world.last


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ('{"none": true, "why": "They contradict each other."}', "They contradict each other"),
        ("nonsense", "has no edit"),
        (
            json.dumps({"from": tag(HEAD["src/part_0.py"], 5), "text": "    return 1"}),
            "it changes lines outside 2 to 2",
        ),
    ],
)
def test_patches_that_cannot_be_brought_together_give_way_to_the_more_severe(
    pull: Callable[..., World], edit: str, why: str
) -> None:
    world = pull(model(fix=lambda _prompt: f'{edit}\n{{"end": true}}'))
    lesser, worse = conflict(world)

    world.says("/spark fix all")

    files = world.branch.made[0].files
    assert files["src/part_0.py"] == HEAD["src/part_0.py"].replace(NONE, "    if not items:").encode()
    assert "src/part_1.py" in files
    named = next(line for line in world.last.split("\n") if line.startswith("- Compared with") and lesser.url in line)
    assert "Empty is not met" in named
    assert why in named
    assert worse.url not in named


# -- the file parses, and the whole is reviewed -------------------------------------------------------------------------


def test_a_patch_that_breaks_the_file_only_with_another_one_is_found_by_leaving_out() -> None:
    text = "x = (1,\n     2)\n"
    opens = patch_of("x = ((1,", 0, 1, Severity.LOW)
    closes = patch_of("     2)) + (3,)", 1, 2, Severity.HIGH)
    laid, left = lay_what_parses(text, "a.py", [opens])
    assert (laid.patches, len(left)) == ((), 1)

    laid, left = lay_what_parses(text, "a.py", [opens, closes])
    assert len(laid.patches) == 2
    assert left == []

    broken = patch_of("     2) +", 1, 2, Severity.LOW)
    fine = patch_of("x = (0,", 0, 1, Severity.LOW)
    laid, left = lay_what_parses(text, "a.py", [broken, fine])
    assert laid.text == "x = (0,\n     2)\n"
    assert "does not parse" in left[0].reason


def objection(severity: str, path: str, number: int) -> Callable[[Prompt], str]:
    """A review that says this about one line of one file."""

    def review(prompt: Prompt) -> str:
        place = re.search(rf"^[ +](R{number}#\w{{3}})\|", prompt.user, re.MULTILINE)
        if f'"{path}"' not in prompt.user or place is None:
            return NOTHING
        said = {
            "path": path,
            "at": place[1],
            "to": None,
            "body": "`is` never calls `__eq__`, so a proxy of None is let through here.",
            "category": "bug",
            "severity": severity,
            "title": "Proxies get through",
            "suggestion": None,
        }
        return json.dumps(said) + '\n{"end": true}'

    return review


@pytest.mark.parametrize("line", [2, 3])
def test_what_the_second_review_finds_in_a_patch_takes_it_out_and_the_rest_goes_on(
    pull: Callable[..., World], line: int
) -> None:
    world = pull(model(review=objection("high", "src/part_1.py", line)))
    threads = [found(world, number) for number in range(3)]

    world.says("/spark fix all")

    assert set(world.branch.made[0].files) == {"src/part_0.py", "src/part_2.py"}
    named = next(line for line in world.last.split("\n") if threads[1].url in line)
    assert "Proxies get through (high)" in named
    assert "1 patch did not stand up to it" in world.last


@pytest.mark.parametrize(("severity", "check"), [("medium", "real"), ("high", "refuted")])
def test_a_lesser_or_refuted_objection_keeps_nothing_out(pull: Callable[..., World], severity: str, check: str) -> None:
    world = pull(model(review=objection(severity, "src/part_1.py", 2), check=check))
    for number in range(3):
        found(world, number)

    world.says("/spark fix all")

    assert len(world.branch.made[0].files) == 3


def test_a_file_that_the_second_review_could_not_see_is_not_committed(pull: Callable[..., World]) -> None:
    def script(prompt: Prompt, _before: int) -> object:
        return ("", StreamEnd.SERVER_ERROR) if "src/part_1.py" in prompt.user.split("description")[-1] else NOTHING

    world = pull(script)
    for number in range(3):
        found(world, number)

    world.says("/spark fix all")

    assert "src/part_1.py" not in world.branch.made[0].files
    assert "was not reviewed again: the endpoint failed" in world.last


def test_a_process_that_stops_in_the_second_review_commits_and_answers_nothing(pull: Callable[..., World]) -> None:
    def script(_prompt: Prompt, _before: int) -> object:
        world.stop.cancel()
        return "", StreamEnd.CANCELLED

    world = pull(script)
    found(world)
    with pytest.raises(OutsideError):
        world.says("/spark fix all")

    assert world.branch.made == []
    assert world.talk.answers == []


def test_when_nothing_is_left_nothing_is_committed(pull: Callable[..., World]) -> None:
    world = pull(model(review=objection("critical", "src/part_0.py", 2)))
    found(world, 0)

    outcome = world.says("/spark fix all")

    assert outcome.what == "refused"
    ref = world.talk.answers[-1].ref
    assert ref is not None
    assert world.talk.reactions_to(ref)[-1] is Reaction.NO
    assert world.branch.made == []
    assert "Proxies get through (critical)" in world.last


# -- where there can be no commit -----------------------------------------------------------------------------------------


def test_a_head_that_moves_meanwhile_leaves_the_suggestions_where_they_stand(pull: Callable[..., World]) -> None:
    text = HEAD["src/part_0.py"]
    edit = json.dumps({"from": tag(text, 2), "to": tag(text, 2), "text": "    if items is None or not items:"})
    world = pull(model(fix=lambda _prompt: edit + '\n{"end": true}'))
    conflict(world)
    world.branch.race = {"other.txt": b"faster\n"}

    outcome = world.says("/spark fix all")

    assert outcome.what == "refused"
    assert world.branch.made == []
    assert "because the branch has moved" in world.last
    assert "Say `/spark fix all` again." in world.last
    assert "stand in their threads" in world.last
    assert "+    if items is None or not items:" in world.last


def test_a_fork_that_lets_nobody_in_costs_no_call_to_the_model(pull: Callable[..., World]) -> None:
    world = pull()
    threads = [found(world, number) for number in range(2)]
    world.branch.block = "the fork does not let maintainers edit"

    outcome = world.says("/spark fix all")

    assert outcome.what == "refused"
    assert world.model.prompts == []
    assert "the fork does not let maintainers edit" in world.last
    assert "<sub>" not in world.last
    assert all(thread.url in world.last for thread in threads)


def test_without_a_key_nothing_is_committed(pull: Callable[..., World]) -> None:
    world = pull()
    world.model = None
    found(world)

    world.says("/spark fix all")

    assert world.branch.made == []
    assert "no model" in world.last


def test_a_second_run_after_a_kill_makes_no_second_commit(pull: Callable[..., World]) -> None:
    world = pull()
    found(world)
    first = world.says("/spark fix all")
    ref = world.talk.answers[0].ref
    assert ref is not None
    world.talk.answers.clear()

    again = world.says("/spark fix all", ref=ref)

    assert len(world.branch.made) == 1
    assert again.commit == first.commit


@pytest.mark.parametrize("patch", [None, BETTER])
def test_with_nothing_to_apply_the_answer_says_what_is_open(pull: Callable[..., World], patch: str | None) -> None:
    world = pull()
    assert world.says("/spark fix all").what == "refused"
    assert "no finding of mine is open" in world.last

    thread = found(world, code="something else" if patch else NONE, patch=patch)
    assert world.says("/spark fix all").what == "refused"
    assert thread.url in world.last
    assert world.model.prompts == []


def test_nobody_without_the_right_to_write_commits_everything(pull: Callable[..., World]) -> None:
    world = pull(roles={"tria": Role.TRIAGE})
    found(world)
    world.says("/spark fix all", by="tria")

    assert world.branch.made == []


def test_nothing_under_github_is_in_it(make_world: MakeWorld) -> None:
    path = ".github/workflows/ci.yml"
    world = make_world(base={path: "a: 1\n"}, head={path: "a: 2\n"}, script=model())
    world.finding(path=path, line=1, lines=[line_digest("a: 2")], suggestion="a: 3")

    world.says("/spark fix all")

    assert world.branch.made == []
    assert "never commit to files under `.github/`" in world.last


# -- laying patches -------------------------------------------------------------------------------------------------------


def known(title: str, severity: Severity) -> KnownFinding:
    from bot.diff.model import Side
    from bot.review.memory import CommentId, FindingNote, Said, ThreadId
    from bot.review.model import Category, Fingerprint

    said = Said(id=CommentId(1), login="spark[bot]", is_ours=True, is_bot=True, body="", url="https://x.test/1")
    thread = Thread(
        id=ThreadId("T"), path="a.py", side=Side.RIGHT, line=1, start_line=None, original_line=1, is_resolved=False,
        resolved_by="", resolved_by_us=False, is_outdated=False, comments=(said,),
    )  # fmt: skip
    note = FindingNote(
        fingerprint=Fingerprint(title), path="a.py", side=Side.RIGHT, severity=severity, category=Category.BUG,
        title=title, source="model",
    )  # fmt: skip
    return KnownFinding(note=note, thread=thread)


def patch_of(new: str, start: int, end: int, severity: Severity = Severity.LOW) -> FindingPatch:
    span = Span(start=start, end=end, lines=tuple(new.split("\n")) if new else ())
    return FindingPatch(path="a.py", knowns=(known(new, severity),), spans=(span,), places=())


@st.composite
def rows_of_patches(draw: st.DrawFn) -> tuple[int, list[FindingPatch]]:
    count = draw(st.integers(1, 14))
    out = []
    for number in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, count - 1))
        end = draw(st.integers(start, min(count, start + 3)))
        new = [f"new {number} {at}" for at in range(draw(st.integers(0 if end > start else 1, 2)))]
        spans = (Span(start=start, end=end, lines=tuple(new)),)
        severity = draw(st.sampled_from(list(Severity)))
        out.append(FindingPatch(path="a.py", knowns=(known(f"{number}", severity),), spans=spans, places=()))
    return count, out


@settings(derandomize=True, max_examples=120)
@given(rows_of_patches())
def test_every_patch_goes_in_or_gives_way_to_a_more_severe_one_and_lands_where_it_says(
    drawn: tuple[int, list[FindingPatch]],
) -> None:
    count, patches = drawn
    text = "".join(f"line {number}\n" for number in range(count))
    groups = clusters(patches)
    assert sorted(id(one) for group in groups for one in group) == sorted(map(id, patches))

    kept, left = [], []
    for group in groups:
        chosen, out = choose(group, "no model")
        kept += chosen
        left += out
        # The most severe of a group is never the one that gives way.
        assert max(one.rank for one in chosen) == max(one.rank for one in group)
    assert len(kept) + len(left) == len(patches)
    assert not any(one.touches(two) for one in kept for two in kept if one is not two)

    laid = lay(text, kept)
    lines = laid.text.split("\n")
    for patch, ranges in zip(laid.patches, laid.where, strict=True):
        for span, (first, last) in zip(patch.spans, ranges, strict=True):
            assert tuple(lines[first - 1 : last]) == span.lines
            if span.lines:
                assert patch in struck(laid, first, last)
    assert laid.text == apply(source_lines(text), [span for patch in kept for span in patch.spans])
