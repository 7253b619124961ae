"""What a pull's reading asks GitHub for, counted at the stand-in: nothing that follows from the change or was read before."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from bot.git.compare import compare_blobs
from bot.github.base_files import BaseFiles
from bot.github.known_texts import KnownTexts
from bot.github.pulls import PullSource
from bot.review.ports import Opened

CONFIG = ".github/spark.yml"


def numbered(count: int, changed: dict[int, str] | None = None) -> str:
    return "".join(f"{(changed or {}).get(n, f'line_{n} = {n}')}\n" for n in range(1, count + 1))


@pytest.fixture
def read(desk: Any) -> Any:
    """Read a pull in this process: gives it, and the paths of the texts that GitHub was asked for."""
    client, texts = desk.client(), KnownTexts()

    def reading(number: int, *, token: bool = True, **more: Any) -> tuple[Opened, list[str]]:
        desk.server.requests.clear()
        source = PullSource(
            client if token else desk.client(token=None),
            desk.repo.full_name,
            number,
            compare=compare_blobs,
            stop=desk.clock.stop(),
            texts=texts,
            **more,
        )
        opened = source.open()
        for file in opened.change.patch.files:
            opened.files.text(file.path)
        asked = []
        for seen in desk.server.requests:
            if seen.path.endswith("/graphql"):
                asked += [value.partition(":")[2] for name, value in seen.json["variables"].items() if name[0] == "e"]
            elif "/contents/" in seen.path or "/git/blobs/" in seen.path:
                asked.append(seen.path.partition("/contents/")[2] or "a blob")
        return opened, sorted(asked)

    return reading


RULES = [".gitattributes", CONFIG]


def test_the_second_review_of_a_file_asks_for_its_text_no_more(desk: Any, read: Any) -> None:
    desk.pull({"a.py": numbered(60, {10: "ten = 0"})})
    _, first = read(1)
    opened, again = read(1)
    desk.repo.commit("work", {"a.py": numbered(60, {10: "ten = 0", 40: "forty = 0"})})
    pushed, after_push = read(1)
    assert first == [*RULES, "a.py"]
    assert again == after_push == RULES
    assert opened.files.text("a.py") == numbered(60, {10: "ten = 0"})
    assert pushed.files.text("a.py") == numbered(60, {10: "ten = 0", 40: "forty = 0"})


def test_another_pull_of_the_same_file_asks_for_nothing_and_one_round_is_all(desk: Any, read: Any) -> None:
    desk.pull({"a.py": numbered(60, {10: "ten = 0"})})
    read(1)
    desk.new_pull({"a.py": numbered(60, {50: "fifty = 0"}), "moved.py": "x = 1\n"})
    desk.server.latency = 0.2
    opened, asked = read(2)
    assert asked == RULES
    assert opened.files.text("a.py") == numbered(60, {50: "fifty = 0"})
    assert opened.files.text("moved.py") == "x = 1\n"
    starts = sorted(seen.started for seen in desk.server.requests)
    assert len(starts) == 3
    assert starts[-1] - starts[0] < 0.2, "nothing waits for an answer"


def test_the_base_that_moved_is_read_once_more(desk: Any, read: Any) -> None:
    desk.pull({"a.py": numbered(60, {10: "ten = 0"})})
    read(1)
    desk.repo.commit("main", {"a.py": numbered(60, {30: "thirty = 0"})})
    desk.new_pull({"a.py": numbered(60, {30: "thirty = 0", 50: "fifty = 0"})})
    opened, asked = read(2)
    assert asked == [*RULES, "a.py"]
    assert opened.files.text("a.py") == numbered(60, {30: "thirty = 0", 50: "fifty = 0"})


def test_files_that_the_change_adds_are_whole_in_it(desk: Any, read: Any) -> None:
    files = {
        "new.py": "x = 1\n",
        "no newline.py": "x = 1",
        "crlf.py": "x = 1\r\ny = 2\r\n",
        "mark.py": "\ufeffx = 1\n",
        "pkg/__init__.py": "",
        "日本.py": "ä = '\u2028'\n",
        "pointer.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    }
    desk.pull(files)
    opened, asked = read(1)
    assert asked == RULES
    assert {path: opened.files.text(path) for path in files} == files
    assert [seen for seen in desk.sent("GET", "/pulls/1") if "diff" in seen.headers.get("Accept", "")] == []
    assert opened.change.gaps == ()


def test_what_the_list_of_files_cannot_say_in_full_is_read(desk: Any, read: Any) -> None:
    files = {"latin.py": b"name = 'caf\xe9'\n", "image.png": b"\x89PNG\0\0data"}
    desk.pull(files)
    opened, asked = read(1)
    assert set(asked) >= {"latin.py", "image.png"}
    assert opened.files.text("latin.py") == "name = 'caf\udce9'\n"
    assert opened.files.text("image.png") is None
    # Read as it is, it is known from then on; what is no text is not kept.
    opened, asked = read(1)
    assert "latin.py" not in asked
    assert opened.files.text("latin.py") == "name = 'caf\udce9'\n"
    assert opened.files.text("image.png") is None


def test_a_file_that_becomes_a_link_is_read_each_time_and_a_renamed_one_only_once(desk: Any, read: Any) -> None:
    desk.pull(
        {"link": ("120000", b"a.py"), "old.py": None, "moved.py": numbered(60, {10: "ten = 0"})},
        base={"link": "text\n", "old.py": numbered(60)},
    )
    for expected in ([*RULES, "link", "moved.py"], [*RULES, "link"]):
        opened, asked = read(1)
        assert asked == expected
        assert opened.files.text("link") == "a.py"
        assert opened.files.text("moved.py") == numbered(60, {10: "ten = 0"})
    # What was renamed is known by its old name, too.
    desk.new_pull({"old.py": numbered(60, {20: "twenty = 0"})})
    assert read(2)[1] == RULES


def test_a_fork_s_head_follows_from_what_the_pulls_of_the_repository_have_shown(desk: Any, read: Any) -> None:
    desk.pull({"a.py": numbered(60, {10: "ten = 0"})})
    read(1)
    fork = desk.repo.fork("mallory/shop")
    fork.commit("evil", {"a.py": numbered(60, {20: "twenty = 0"})})
    desk.repo.open_pull("From a fork", head="evil", head_repo=fork)
    opened, asked = read(2)
    assert asked == RULES
    assert opened.files.text("a.py") == numbered(60, {20: "twenty = 0"})


def test_without_a_token_texts_that_are_known_are_not_fetched_either(desk: Any, read: Any) -> None:
    desk.pull({"a.py": numbered(60, {10: "ten = 0"}), "new.py": "x = 1\n"})
    _, first = read(1, token=False)
    _, again = read(1, token=False)
    assert first == [*RULES, "a blob"]
    assert again == RULES


def test_the_rules_are_the_base_branch_s_whichever_that_is(desk: Any, read: Any) -> None:
    desk.repo.commit("main", {CONFIG: "review: {effort: instant}\n", ".gitattributes": "*.x -diff\n"})
    desk.repo.branch("release")
    desk.repo.commit("release", {CONFIG: "review: {effort: deep}\n", ".gitattributes": None})
    desk.repo.branch("work", "release")
    desk.repo.commit("work", {"n.py": "n = 1\n"})
    desk.repo.open_pull("Into a release", head="work", base="release", author="ann")
    expected = {CONFIG: "review: {effort: deep}\n"}
    # Nobody told which branch it is: the default branch was a wrong guess.
    opened, asked = read(1)
    assert (opened.base_texts, asked) == (expected, sorted([*RULES, *RULES]))
    opened, asked = read(1, branch="release")
    assert (opened.base_texts, asked) == (expected, RULES)
    # What somebody told is believed no more than a guess.
    opened, asked = read(1, branch="main")
    assert (opened.base_texts, asked) == (expected, sorted([*RULES, *RULES]))


def test_guidelines_are_read_beside_the_files_and_from_the_second_time_on_with_the_configuration(
    desk: Any, read: Any
) -> None:
    desk.pull(
        {"new.py": "x = 1\n"},
        base={CONFIG: "guidelines: [AGENTS.md, none.md]\n", "AGENTS.md": "Be kind.\n", "c.md": "C\n"},
    )
    for requests in (4, 3):
        opened, asked = read(1)
        assert asked == sorted([*RULES, "AGENTS.md", "none.md"])
        assert opened.base_text("AGENTS.md") == "Be kind.\n"
        assert opened.base_text("none.md") is None
        assert len(desk.server.requests) == requests, "and asking for them sends nothing more"
    # A hint is no more than a hint: another configuration is obeyed at once.
    desk.repo.commit("main", {CONFIG: "guidelines: [c.md]\n", "AGENTS.md": "Be harsh.\n"})
    opened, _ = read(1)
    assert opened.base_text("c.md") == "C\n"
    assert opened.base_text("AGENTS.md") == "Be harsh.\n"


def test_a_configuration_that_cannot_be_read_as_one_still_comes_whole(desk: Any, read: Any) -> None:
    desk.pull({"new.py": "x = 1\n"}, base={CONFIG: "guidelines: {a: 1}\nnonsense\n"})
    opened, _ = read(1)
    assert opened.base_texts[CONFIG] == "guidelines: {a: 1}\nnonsense\n"


def test_how_many_texts_were_known_is_in_the_log(desk: Any, read: Any, caplog: pytest.LogCaptureFixture) -> None:
    desk.pull({"a.py": numbered(60, {10: "ten = 0"}), "new.py": "x = 1\n", "README.md": None})
    with caplog.at_level(logging.INFO, logger="spark"):
        read(1, fields={"delivery": "d1"})
        read(1, fields={"delivery": "d2"})
    told = [record.fields for record in caplog.records if record.message == "pull.texts"]  # type: ignore[attr-defined]
    assert told == [
        {"delivery": "d1", "added": 1, "known": 0, "unknown": 1},
        {"delivery": "d2", "added": 1, "known": 1, "unknown": 0},
    ]


def test_files_of_the_base_that_were_not_asked_for_are_read_when_somebody_does(desk: Any) -> None:
    pull = desk.pull({"a.py": "a = 1\n"}, base={"AGENTS.md": "Be kind.\n"})
    base = BaseFiles(desk.client(), desk.repo.full_name, ["none"], branch="main", stop=desk.clock.stop())
    base.begin(None)
    base.meet(desk.read(pull.number).change.pull)
    assert base.data("AGENTS.md") == b"Be kind.\n"
    assert base.texts(["AGENTS.md", "none"]) == {"AGENTS.md": "Be kind.\n"}
