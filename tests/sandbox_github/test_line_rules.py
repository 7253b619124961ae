"""Where a comment may stand, and GitHub's words when it may not."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.diff.model import Side
from bot.sandbox.github.diffs import diff_trees
from bot.sandbox.github.git import GitRepo
from bot.sandbox.github.hunks import HunkCountError, count_hunks
from bot.sandbox.github.rules import Place, Spot, find_place, to_sentence

REPO = "/repos/octo/demo"
LINE = "Pull request review thread line must be part of the diff"
START = "Pull request review thread start line must be part of the same hunk as the line."
BEFORE = "Pull request review thread start line must precede the end line."
HUNK = "Pull request review thread diff hunk can't be blank"


@pytest.fixture
def pulled(desk, numbered):
    """Lines 10 and 40 changed, 12 removed: hunks at 7-15 and 36-42 on the right."""
    after = numbered(60, _10="ten", _40="forty").replace("line 12\n", "")
    return desk, desk.pull({"a.py": numbered(60), "b.bin": b"\0"}, {"a.py": after, "b.bin": b"\0\1"})


def review(desk, *comments, **more):
    head = desk.repo.pulls[1].head_sha
    body = {"event": "COMMENT", "body": "Summary", "commit_id": head, "comments": list(comments)} | more
    return desk.client.post(f"{REPO}/pulls/1/reviews", body)


def at(**place):
    return {"path": "a.py", "body": "x", "side": "RIGHT"} | place


REFUSED = [
    (at(line=6), f"{LINE} and {HUNK}"),
    (at(line=30), f"{LINE} and {HUNK}"),
    (at(line=999), f"{LINE} and {HUNK}"),
    (at(line=9, side="LEFT"), f"{LINE} and {HUNK}"),
    (at(line=40, start_line=10, start_side="RIGHT"), START),
    (at(line=10, start_line=6, start_side="RIGHT"), START),
    (at(line=30, start_line=29, start_side="RIGHT"), f"{LINE}, {START}, and {HUNK}"),
    (at(line=10, start_line=10, start_side="RIGHT"), BEFORE),
    (at(line=10, start_line=11, start_side="RIGHT"), BEFORE),
    (at(line=10, start_line=12, start_side="LEFT"), BEFORE),
    (at(line=1, path="missing.py"), "Path could not be resolved"),
    (at(line=1, path="/a.py"), f"Pull request review thread path is invalid and {HUNK}"),
    (at(line=1, path="b.bin"), f"{LINE} and {HUNK}"),
    ({"path": "a.py", "body": "x", "position": 99}, HUNK),
    (at(line=10, body=" "), "Body can't be blank"),
    (at(line=10, body="x" * 65_537), "Body is too long (maximum is 65536 characters)"),
]


@pytest.mark.wrong_requests
@pytest.mark.parametrize(("comment", "text"), REFUSED)
def test_a_comment_on_no_legal_place_is_refused_in_github_s_words(pulled, comment, text) -> None:
    desk, _ = pulled
    answer = review(desk, at(line=10), comment)
    assert answer.status == 422
    assert answer.json["message"] == "Unprocessable Entity"
    assert answer.json["errors"] == [text]
    assert answer.json["documentation_url"].endswith("#create-a-review-for-a-pull-request")


@pytest.mark.parametrize(
    "comment",
    [
        at(line=7),
        at(line=10),
        at(line=14),
        at(line=36),
        at(line=10, side="LEFT"),
        at(line=12, side="LEFT"),
        at(line=14, start_line=7, start_side="RIGHT"),
        at(line=10, start_line=10, start_side="LEFT"),
        {"path": "a.py", "body": "x", "position": 1},
    ],
)
def test_a_comment_inside_a_hunk_is_taken(pulled, comment) -> None:
    desk, _ = pulled
    assert review(desk, comment).status == 200


def test_one_bad_comment_refuses_the_whole_review(pulled) -> None:
    desk, _ = pulled
    assert review(desk, at(line=10), at(line=30), at(line=40)).status == 422
    assert desk.client.get(f"{REPO}/pulls/1/reviews").json == []
    assert desk.client.get(f"{REPO}/pulls/1/comments").json == []


def test_the_texts_of_several_bad_comments_come_once_each(pulled) -> None:
    desk, _ = pulled
    answer = review(desk, at(line=30), at(line=31), at(line=1, path="missing.py"))
    assert answer.json["errors"] == [f"{LINE}, {HUNK}, and Path could not be resolved"]


@pytest.mark.wrong_requests
@pytest.mark.parametrize(
    ("comment", "text"),
    [
        (at(line=10, subject_type="file"), '"subject_type" is not a permitted key.'),
        (at(line="10"), "is not an integer"),
        (at(line=10, side="right"), 'is not a member of ["LEFT", "RIGHT"]'),
        (at(), 'No subschema in "oneOf" matched'),
    ],
)
def test_a_comment_of_the_wrong_form_is_an_invalid_request(pulled, comment, text) -> None:
    desk, _ = pulled
    answer = review(desk, comment)
    assert answer.status == 422
    assert answer.json["message"].startswith("Invalid request.\n\n")
    assert text in answer.json["message"]


def test_the_comments_endpoint_refuses_with_objects(pulled) -> None:
    desk, pull = pulled
    body = at(line=30, start_line=29, start_side="RIGHT", commit_id=pull.head_sha)
    answer = desk.client.post(f"{REPO}/pulls/1/comments", body)
    assert (answer.status, answer.json["message"]) == (422, "Validation Failed")
    thread = "pull_request_review_thread"
    base = {"resource": "PullRequestReviewComment"}
    start = f"{thread}.start_line"
    assert answer.json["errors"] == [
        base | {"code": "custom", "field": f"{thread}.line", "message": f"{thread}.line must be part of the diff"},
        base | {"code": "custom", "field": start, "message": f"{start} must be part of the same hunk as the line."},
        base | {"code": "missing_field", "field": f"{thread}.diff_hunk"},
    ]


def test_a_commit_that_is_not_of_the_pull_is_refused(pulled) -> None:
    desk, _ = pulled
    elsewhere = desk.repo.commit("main", {"c": "1\n"})
    answer = review(desk, commit_id=elsewhere)
    assert answer.json["errors"] == ["Start commit oid is not part of the pull request"]
    answer = desk.client.post(f"{REPO}/pulls/1/comments", at(line=10, commit_id=elsewhere))
    assert "end_commit_oid is not part of the pull request" in answer.json["errors"][0]["message"]


def test_after_a_force_push_the_old_head_is_no_longer_of_the_pull(pulled, numbered) -> None:
    desk, pull = pulled
    old = pull.head_sha
    tree = desk.repo.git.write_tree("main", {"a.py": numbered(60, _10="other").encode()})
    sha = desk.repo.git.write_commit(
        tree=tree, parents=[desk.repo.git.resolve("main")], message="Again", author=desk.world.person(pull.author)
    )
    desk.repo.push("work", sha)
    assert review(desk, at(line=10), commit_id=old).status == 422
    assert review(desk, at(line=10), commit_id=sha).status == 200


def test_comments_on_whole_files_work_where_no_line_can_be_had(pulled) -> None:
    desk, pull = pulled
    body = {"path": "b.bin", "body": "x", "commit_id": pull.head_sha, "subject_type": "file"}
    answer = desk.client.post(f"{REPO}/pulls/1/comments", body)
    assert answer.status == 201
    assert (answer.json["subject_type"], answer.json["line"], answer.json["diff_hunk"]) == ("file", 1, "")


def test_the_diff_hunk_ends_with_the_commented_line_and_the_position_counts_all_rows(pulled) -> None:
    desk, pull = pulled
    first = desk.client.post(f"{REPO}/pulls/1/comments", at(line=10, commit_id=pull.head_sha)).json
    assert first["diff_hunk"] == "@@ -7,9 +7,8 @@ line 6\n line 7\n line 8\n line 9\n-line 10\n+ten"
    assert first["position"] == 5
    second = desk.client.post(f"{REPO}/pulls/1/comments", at(line=36, commit_id=pull.head_sha)).json
    assert second["diff_hunk"] == "@@ -37,7 +36,7 @@ line 36\n line 37"
    assert second["position"] == 12


@pytest.mark.parametrize(("parts", "text"), [("a", "a"), ("ab", "a and b"), ("abc", "a, b, and c")])
def test_texts_are_joined_as_a_sentence(parts, text) -> None:
    assert to_sentence(list(parts)) == text


def test_a_hunk_shorter_than_its_header_is_an_error_and_no_guess() -> None:
    with pytest.raises(HunkCountError):
        count_hunks(b"@@ -1,3 +1,3 @@\n a\n")


LINES = st.lists(
    st.sampled_from(["", "x", "-- a", "++ b", "@@ -1 +1 @@", "diff --git a/q b/q", "\u2028", "é"]), max_size=40
)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    repo = GitRepo.create(tmp_path_factory.mktemp("git") / "r.git")
    yield repo
    repo.close()


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=LINES, after=LINES, newline=st.booleans())
def test_every_place_the_rules_allow_has_the_text_that_the_file_has_there(bare, before, after, newline) -> None:
    texts = ["".join(f"{line}\n" for line in lines).removesuffix("" if newline else "\n") for lines in (before, after)]
    trees = [bare.write_tree(None, {"q b/q": text.encode(), "z": f"{at}\n".encode()}) for at, text in enumerate(texts)]
    diff = diff_trees(bare, *trees)
    assert diff.file("z").patch == "@@ -1 +1 @@\n-0\n+1"
    file = diff.file("q b/q")
    if file is None:
        assert texts[0] == texts[1]
        return
    for side, text in ((Side.LEFT, texts[0]), (Side.RIGHT, texts[1])):
        lines = text.split("\n")
        for number in range(1, len(lines) + 3):
            place = find_place(diff, Spot(path="q b/q", line=number, side=side))
            if isinstance(place, Place):
                assert place.row.text == lines[number - 1]
                assert place.row.mark == "-" if side is Side.LEFT else place.row.mark in " +"
    counted = subprocess.run(
        ["git", "-C", bare.path, "diff", "--numstat", *trees, "--", "q b/q"], capture_output=True, check=True, text=True
    ).stdout.split("\t")
    marks = [row.mark for block in file.blocks for row in block.rows]
    assert (marks.count("+"), marks.count("-")) == (int(counted[0]), int(counted[1]))
