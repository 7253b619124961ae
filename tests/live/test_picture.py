"""A review's events as a page gets them: every line, every finding beside its row, no secret, nothing without bound."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.diff.model import Anchor, HunkKey, Patch, Side
from bot.diff.parse import read_patch
from bot.live.events import LiveEvent, LiveKind
from bot.live.picture import LONGEST_LINE, MOST_ROWS, Picture
from bot.review.events import Finished, Found, Lost, Note, Progress, Started
from bot.review.model import (
    Category,
    Change,
    Dropped,
    Effort,
    Finding,
    FindingStatus,
    Fingerprint,
    Misplaced,
    Review,
    Severity,
    Timing,
    Usage,
    Verdict,
    Votes,
)
from bot.review.render.json import finding_json, review_json
from bot.review.render.safe import Redactor, visible
from bot.review.scope import Coverage, Plan, Skip, SkipReason

SECRET = "AKIA" + "Q7XW2MN4PLK8VTRZ"
DIFF = f"""\
diff --git a/app.py b/app.py
index 1111111..2222222 100644
--- a/app.py
+++ b/app.py
@@ -1,3 +1,4 @@ def load
 import json
-key = "{SECRET}"
+def load(path):
+    return json.load(open(path))
 # end
@@ -20,2 +21,2 @@ def save
-old
+new\u202e
 last
diff --git a/old.lock b/new.lock
similarity index 90%
rename from old.lock
rename to new.lock
index 3333333..4444444 100644
--- a/old.lock
+++ b/new.lock
@@ -1,1 +1,1 @@
-1
+2
"""


@pytest.fixture
def patch() -> Patch:
    return read_patch(DIFF.encode())


@pytest.fixture
def change(patch: Patch) -> Change:
    return Change(patch=patch, base="1" * 40, head="2" * 40, title=f"Load <b>it</b> {SECRET}")


@pytest.fixture
def anchor() -> Anchor:
    text = ("def load(path):", "    return json.load(open(path))")
    return Anchor(path="app.py", side=Side.RIGHT, start_line=2, line=3, hunk=HunkKey(0, 0), text=text)


@pytest.fixture
def a_finding(anchor: Anchor) -> Callable[..., Finding]:
    def make(**fields: object) -> Finding:
        known: dict[str, object] = {
            "anchor": anchor,
            "severity": Severity.HIGH,
            "category": Category.BUG,
            "title": "The file stays open",
            "body": "Use <script>alert(1)</script> `with`.",
            "suggestion": "def load(path):\n    with open(path) as file:\n        return json.load(file)",
            "proven": True,
            "votes": Votes(in_favour=2, of=2),
            "fingerprint": Fingerprint("00ff"),
            "source": "model",
            "parsed": True,
        }
        return Finding(**(known | fields))

    return make


LOCKED = Skip(path="new.lock", reason=SkipReason.LOCK)


def started(change: Change) -> Started:
    return Started(at=0.25, change=change, plan=Plan(chunks=(), skipped=(LOCKED,)), model="fast")


def only(picture: Picture, event: object) -> LiveEvent:
    [live] = picture.of(event)
    return live


@pytest.fixture
def picture(change: Change) -> Picture:
    picture = Picture()
    list(picture.of(started(change)))
    return picture


def test_the_diff_is_told_once_with_every_line_and_its_numbers(change: Change) -> None:
    live = only(Picture(), started(change))
    assert live.kind is LiveKind.STARTED
    data = live.data
    assert (data["at"], data["model"], data["chunks"], data["head"]) == (0.25, "fast", 0, "2" * 40)
    assert data["title"] == "Load <b>it</b> AKIA•••"
    app, lock = data["files"]
    assert (app["id"], app["path"], app["old_path"], app["status"]) == ("f0", "app.py", None, "modified")
    assert (app["added"], app["removed"], app["skip"], app["rows_omitted"]) == (3, 2, "", 0)
    assert [(hunk["id"], hunk["title"]) for hunk in app["hunks"]] == [
        ("f0h0", "@@ -1,3 +1,4 @@ def load"),
        ("f0h1", "@@ -20,2 +21,2 @@ def save"),
    ]
    assert app["hunks"][0]["rows"] == [
        [" ", 1, 1, "import json"],
        ["-", 2, None, 'key = "AKIA•••"'],
        ["+", None, 2, "def load(path):"],
        ["+", None, 3, "    return json.load(open(path))"],
        [" ", 3, 4, "# end"],
    ]
    # A character that nobody sees is spelled out.
    assert app["hunks"][1]["rows"][1] == ["+", None, 21, "new<U+202E>"]
    assert (lock["path"], lock["old_path"], lock["skip"], lock["hunks"]) == ("new.lock", "old.lock", "lock file", [])
    assert lock["rows_omitted"] == 2
    assert data["skipped"] == [{"path": "new.lock", "reason": "lock file", "detail": ""}]


def test_all_of_it_is_json_without_the_secret(
    change: Change, picture: Picture, a_finding: Callable[..., Finding], a_review: Review
) -> None:
    leaky = a_finding(title=SECRET, body=SECRET, suggestion=SECRET, note=SECRET)
    misplaced = Misplaced(
        path=SECRET, claimed=SECRET, reason=SECRET, severity=Severity.LOW, category=Category.BUG, title=SECRET, body=""
    )
    told = [
        *Picture().of(started(change)),
        *picture.of(Found(at=1, finding=leaky)),
        *picture.of(Lost(at=1, what=Dropped(finding=leaky, reason="refuted", why=SECRET))),
        *picture.of(Lost(at=1, what=misplaced)),
        *picture.of(Note(at=1, text=SECRET)),
        *picture.of(Finished(at=2, review=replace(a_review, findings=(leaky,), reason=SECRET))),
    ]
    assert len(told) == 6
    text = json.dumps([dict(live.data) for live in told], ensure_ascii=False, allow_nan=False)
    assert SECRET not in text
    assert SECRET[6:] not in text


def test_a_finding_is_told_with_its_row_its_lines_and_its_patch(
    patch: Patch, picture: Picture, a_finding: Callable[..., Finding]
) -> None:
    finding = a_finding()
    live = only(picture, Found(at=1.5, finding=finding))
    assert live.kind is LiveKind.FOUND
    shape = finding_json(finding, Redactor(patch))
    assert {key: live.data[key] for key in shape} == shape
    assert (live.data["at"], live.data["id"], live.data["label"]) == (1.5, "00ff", "High · bug")
    assert live.data["rows"] == {
        "file": "f0",
        "hunk": "f0h0",
        "start": {"old": None, "new": 2},
        "end": {"old": None, "new": 3},
    }
    assert live.data["frame"][0] == [" ", 1, 1, "import json", False]
    assert live.data["frame"][2] == ["+", None, 2, "def load(path):", True]
    assert live.data["diff"] == [
        [" ", "def load(path):"],
        ["-", "    return json.load(open(path))"],
        ["+", "    with open(path) as file:"],
        ["+", "        return json.load(file)"],
    ]
    assert live.data["small"] == ["proven: applied and parsed", "votes 2/2"]
    # Text alone: who shows it escapes it.
    assert "<script>" in live.data["body"]


def test_a_finding_on_a_removed_line_names_the_old_row(picture: Picture, a_finding: Callable[..., Finding]) -> None:
    gone = Anchor(path="app.py", side=Side.LEFT, start_line=2, line=2, hunk=HunkKey(0, 0), text=("key",))
    data = only(picture, Found(at=1, finding=a_finding(anchor=gone, suggestion=None))).data
    assert data["rows"]["end"] == {"old": 2, "new": None}
    assert (data["diff"], data["side"]) == (None, "LEFT")


def test_a_suggestion_with_a_secret_is_neither_shown_nor_praised(
    picture: Picture, a_finding: Callable[..., Finding]
) -> None:
    data = only(picture, Found(at=1, finding=a_finding(suggestion=f"x = '{SECRET}'"))).data
    assert (data["suggestion"], data["diff"], data["proven"]) == (None, None, False)
    assert data["small"] == ["the suggested change contains a secret and so is not shown"]


def test_a_finding_that_changes_keeps_its_id(picture: Picture, a_finding: Callable[..., Finding]) -> None:
    first = only(picture, Found(at=1, finding=a_finding())).data
    again = only(picture, Found(at=2, finding=a_finding(title="Said better"))).data
    assert first["id"] == again["id"]
    assert again["title"] == "Said better"


@pytest.mark.parametrize(
    ("reason", "why", "said"),
    [
        ("refuted", "the caller closes it", "Refuted when it was checked: the caller closes it"),
        ("refuted", "", "Refuted when it was checked"),
        ("duplicate", "said once already: A", "Not told again: said once already: A"),
    ],
)
def test_why_a_finding_is_not_shown_is_told_in_words(
    picture: Picture, a_finding: Callable[..., Finding], reason: str, why: str, said: str
) -> None:
    live = only(picture, Lost(at=3, what=Dropped(finding=a_finding(), reason=reason, why=why)))
    assert live.kind is LiveKind.LOST
    assert live.data == {
        "at": 3,
        "kind": reason,
        "path": "app.py",
        "line": 3,
        "side": "RIGHT",
        "title": "The file stays open",
        "severity": "high",
        "reason": said,
    }


def test_a_finding_without_a_line_says_where_it_claimed_to_be(picture: Picture) -> None:
    lost = Misplaced(
        path="app.py", claimed="R99#abc", reason="there is no such line", severity=Severity.LOW,
        category=Category.STYLE, title="T", body="B",
    )  # fmt: skip
    data = only(picture, Lost(at=3, what=lost)).data
    assert (data["kind"], data["line"], data["claimed"]) == ("misplaced", None, "R99#abc")
    assert data["reason"] == "It has no line of the diff: there is no such line"


def progress(at: float, tokens: int, done: int = 0, chunks: int = 4) -> Progress:
    return Progress(at=at, chunks_done=done, chunks=chunks, output_tokens=tokens)


def test_progress_comes_about_five_times_a_second_with_the_speed_of_the_last_second(picture: Picture) -> None:
    # Ten a second for two seconds; 1,000 tokens a second, and then twice as many.
    told = []
    for tick in range(41):
        tokens = tick * 100 if tick <= 20 else 2_000 + (tick - 20) * 200
        told += [live.data for live in picture.of(progress(tick / 10, tokens))]
    assert 20 <= len(told) <= 22
    assert told[0]["tokens_per_second"] == 0
    assert told[5]["tokens_per_second"] == 1000
    assert told[-1]["tokens_per_second"] == 2000
    assert told[-1] | {"tokens_per_second": 0} == {
        "at": 4.0, "chunks_done": 0, "chunks": 4, "output_tokens": 6_000, "tokens_per_second": 0,
    }  # fmt: skip


def test_the_last_progress_is_told_however_soon_it_comes(picture: Picture) -> None:
    assert list(picture.of(progress(1.0, 10)))
    assert not list(picture.of(progress(1.01, 20)))
    assert only(picture, progress(1.02, 30, done=4)).data["chunks_done"] == 4


@pytest.fixture
def a_review(change: Change, a_finding: Callable[..., Finding]) -> Review:
    return Review(
        change=change, effort=Effort.STANDARD, model="fast", verdict=Verdict.PASS, reason="all was reviewed",
        findings=(a_finding(),), misplaced=(), dropped=(),
        coverage=Coverage(hunks=2, reviewed=2, holes=(), skipped=(LOCKED,)), usage=Usage(), timing=Timing(done=2.0),
    )  # fmt: skip


def test_the_end_carries_the_review_as_every_output_has_it(picture: Picture, a_review: Review) -> None:
    live = only(picture, Finished(at=2, review=a_review))
    assert live.kind is LiveKind.FINISHED
    assert live.data == {"at": 2, "review": review_json(a_review)}
    # Also where the beginning was not seen.
    assert only(Picture(), Finished(at=2, review=a_review)).data == live.data


def test_a_finding_that_was_merged_after_it_was_told_is_told_again_at_the_end(
    picture: Picture, a_finding: Callable[..., Finding], a_review: Review
) -> None:
    same, changed, renamed = (a_finding(fingerprint=Fingerprint(name * 16)) for name in "abc")
    for at, finding in enumerate((same, changed, renamed)):
        only(picture, Found(at=at, finding=finding))
    worse = replace(changed, severity=Severity.CRITICAL, body="And so on.")
    other = replace(renamed, fingerprint=Fingerprint("d" * 16))
    status = replace(same, status=FindingStatus.OVER_LIMIT)
    told = list(picture.of(Finished(at=9, review=replace(a_review, findings=(status, worse, other)))))
    assert [live.kind for live in told] == [LiveKind.FOUND, LiveKind.FOUND, LiveKind.FINISHED]
    assert (told[0].data["id"], told[0].data["severity"], told[0].data["at"]) == ("b" * 16, "critical", 1)
    assert (told[1].data["id"], told[1].data["at"]) == ("d" * 16, 2)


def test_a_redactor_that_there_is_already_is_used(change: Change, a_review: Review) -> None:
    made = []
    picture = Picture(redactor_of=lambda patch: made.append(patch) or Redactor(patch))
    list(picture.of(started(change)))
    list(picture.of(Note(at=1, text="a")))
    list(picture.of(Finished(at=2, review=a_review)))
    assert made == [change.patch]


def _long(lines: int, files: int = 1) -> Change:
    sections = []
    for number in range(files):
        body = "".join(f"+line {number} {line}\n" for line in range(lines))
        sections.append(
            f"diff --git a/f{number} b/f{number}\nnew file mode 100644\n--- /dev/null\n+++ b/f{number}\n"
            f"@@ -0,0 +1,{lines} @@\n{body}"
        )
    return Change(patch=read_patch("".join(sections).encode()), base="b", head="h")


def test_no_more_than_four_thousand_lines_are_kept_and_every_file_is_named() -> None:
    files = only(Picture(), started(_long(700, files=9))).data["files"]
    shown = [sum(len(hunk["rows"]) for hunk in file["hunks"]) for file in files]
    assert sum(shown) == MOST_ROWS
    assert shown == [700] * 5 + [500, 0, 0, 0]
    assert [file["rows_omitted"] for file in files] == [700 - rows for rows in shown]


def test_one_long_file_leaves_room_for_the_others() -> None:
    change = _long(3_000, files=2)
    shown = [len(file["hunks"][0]["rows"]) for file in only(Picture(), started(change)).data["files"]]
    assert shown == [1_000, 1_000]
    # Alone it has all the room.
    [file] = only(Picture(), started(_long(3_000))).data["files"]
    assert file["rows_omitted"] == 0


def test_a_long_line_is_cut_and_no_part_of_a_secret_is_left_at_the_cut() -> None:
    line = "x" * (LONGEST_LINE - 10) + f' key="{SECRET}"' + "y" * 10_000
    diff = f"diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,1 +1,2 @@\n b\n+{line}\n"
    change = Change(patch=read_patch(diff.encode()), base="b", head="h")
    [file] = only(Picture(), started(change)).data["files"]
    text = file["hunks"][0]["rows"][1][3]
    assert len(text) <= LONGEST_LINE
    assert text.endswith("…")
    assert "AKIAQ" not in text


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [f"key = '{SECRET}'", "sha256-", "base64,", "a9X" * 14, "kJ8s2LqPz0VbYt7Rw3Nm5Xc1Hd6Fg4Ke", "x = 1", "", "password: 'hunter22!'",
             "-----BEGIN RSA PRIVATE KEY-----", "MIIEowIBAAKCAQEA7d8c", "-----END RSA PRIVATE KEY-----", "token =", "'abcdefgh12'"]
        ),
        min_size=1,
        max_size=8,
    )
)  # fmt: skip
def test_lines_are_redacted_as_each_would_be_by_itself(lines: list[str]) -> None:
    body = "".join(f"+{line}\n" for line in lines)
    diff = f"diff --git a/a b/a\nnew file mode 100644\n--- /dev/null\n+++ b/a\n@@ -0,0 +1,{len(lines)} @@\n{body}"
    change = Change(patch=read_patch(diff.encode()), base="b", head="h")
    redactor = Redactor(change.patch)
    [file] = only(Picture(), started(change)).data["files"]
    assert [row[3] for row in file["hunks"][0]["rows"]] == [redactor.redact(visible(line)) for line in lines]
