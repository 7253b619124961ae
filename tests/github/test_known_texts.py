"""Texts that were read before: used for the very bytes that GitHub names, for one repository, inside a bound."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from bot.diff.model import BadSection, FilePatch, FileStatus
from bot.diff.parse import read_fragment
from bot.git.compare import diff_blobs
from bot.github.known_texts import MOST_OF_ONE, VERSIONS, Home, KnownTexts, home_of
from bot.github.replay import blob_id
from bot.review.model import RepoName

API = "https://api.github.com"
HOME = home_of(API, RepoName("acme/shop"))


def name(data: bytes) -> str:
    return blob_id(data, like="0" * 40)


def change(
    old: bytes, new: bytes, *, path: str = "a.py", old_path: str | None = None, status: FileStatus = FileStatus.MODIFIED
) -> FilePatch:
    found = read_fragment(index=0, path=path, old_path=old_path, status=status, fragment=diff_blobs(old, new))
    assert not isinstance(found, BadSection), found
    return found


BASE, ONE, TWO = b"a\nb\nc\nd\n", b"a\nb\nC\nd\n", b"a\nb\nc\nd\ne\n"
BASE_TO_ONE, BASE_TO_TWO = change(BASE, ONE), change(BASE, TWO)


@pytest.fixture
def known() -> KnownTexts:
    """One review has read a file at its head."""
    made = KnownTexts()
    made.learn(HOME, BASE_TO_ONE, name(ONE), ONE)
    return made


def test_the_same_head_is_known_and_so_is_another_one_of_the_same_base(known: KnownTexts) -> None:
    assert known.may_know(HOME, "a.py", old_path=None, oid=name(TWO))
    assert known.text(HOME, BASE_TO_ONE, name(ONE)) == ONE
    assert known.text(HOME, BASE_TO_TWO, name(TWO)) == TWO
    # What was made is known from then on, whatever the change says.
    assert known.text(HOME, replace(BASE_TO_TWO, hunks=()), name(TWO)) == TWO


def test_a_renamed_file_follows_from_its_old_name(known: KnownTexts) -> None:
    moved = replace(BASE_TO_TWO, path="b.py", old_path="a.py", status=FileStatus.RENAMED)
    assert known.text(HOME, moved, name(TWO)) == TWO
    assert known.text(HOME, replace(moved, path="c.py", old_path="x.py"), name(TWO)) is None


def test_an_added_file_is_whole_in_its_change_and_needs_nothing_known() -> None:
    for data in (b"x = 1\n", b"x = 1", b""):
        added = change(b"", data, path="new.py", status=FileStatus.ADDED)
        assert KnownTexts().text(HOME, added, name(data)) == data
        assert KnownTexts().text(HOME, added, name(data + b"\n")) is None


@pytest.mark.parametrize("oid", [name(b"other"), name(TWO)[:39], name(TWO)[:7], name(TWO).upper(), "", "0" * 40])
def test_a_text_is_never_given_for_another_name_than_its_own(known: KnownTexts, oid: str) -> None:
    assert known.text(HOME, BASE_TO_TWO, oid) is None


def test_what_was_read_and_is_not_what_it_is_called_is_not_kept() -> None:
    known = KnownTexts()
    known.learn(HOME, BASE_TO_ONE, name(ONE), ONE + b"# forged\n")
    known.work_out()
    assert known.held == 0
    assert not known.may_know(HOME, "a.py", old_path=None, oid=name(ONE))


def test_a_diff_that_is_not_true_to_the_base_s_bytes_costs_a_reading_and_no_more() -> None:
    # GitHub's JSON has U+FFFD for what is not UTF-8, so the base that follows is not the base that is.
    old, new = b"caf\xe9\nb\n", b"cafe\nb\n"
    told = read_fragment(
        index=0,
        path="a.py",
        old_path=None,
        status=FileStatus.MODIFIED,
        fragment=diff_blobs(old, new).replace("\udce9", "\ufffd"),
    )
    assert not isinstance(told, BadSection)
    known = KnownTexts()
    known.learn(HOME, told, name(new), new)
    later = b"caf\xe9\nc\n"
    assert known.text(HOME, change(old, later), name(later)) is None


@pytest.mark.parametrize(
    "other",
    [
        home_of(API, RepoName("acme/shop2")),
        home_of(API, RepoName("mallory/shop")),
        home_of("https://ghe.acme.example/api/v3", RepoName("acme/shop")),
    ],
)
def test_texts_of_one_repository_are_not_used_for_another(known: KnownTexts, other: Home) -> None:
    assert not known.may_know(other, "a.py", old_path=None, oid=name(ONE))
    assert known.text(other, BASE_TO_ONE, name(ONE)) is None
    known.learn_guidelines(HOME, ["AGENTS.md"])
    assert known.guidelines(other) == ()


def test_a_repository_has_one_name_in_whatever_case() -> None:
    assert home_of(API, RepoName("Acme/Shop")) == HOME
    assert home_of(API + "/", RepoName("acme/shop")) == HOME


def test_memory_stays_inside_its_bound_and_what_was_used_last_stays() -> None:
    known = KnownTexts(most_bytes=20_000)
    body = b"x = 1\n" * 200
    for number in range(60):
        path = f"f{number}.py"
        known.learn(HOME, replace(BASE_TO_ONE, path=path, hunks=()), name(body + b"%d" % number), body + b"%d" % number)
        known.work_out()
        assert known.held <= 20_000
        # The first one is used again and again.
        assert known.text(HOME, replace(BASE_TO_ONE, path="f0.py"), name(body + b"0")) is not None
    assert known.held > 15_000
    assert known.text(HOME, replace(BASE_TO_ONE, path="f1.py"), name(body + b"1")) is None


def test_of_one_path_a_few_versions_are_kept_and_the_base_that_is_used_among_them(known: KnownTexts) -> None:
    heads = [BASE + b"%d\n" % number for number in range(2 * VERSIONS)]
    for head in heads:
        # Each push, or each pull, makes another head of the one base; only that was learnt from a reading.
        assert known.text(HOME, change(BASE, head), name(head)) == head
    assert known.text(HOME, BASE_TO_TWO, name(TWO)) == TWO
    assert known.held < VERSIONS * 500


@pytest.mark.parametrize("data", [b"x" * (MOST_OF_ONE + 1), b"a\0b\n"])
def test_what_is_too_large_or_binary_is_not_kept(data: bytes) -> None:
    known = KnownTexts()
    known.learn(HOME, BASE_TO_ONE, name(data), data)
    known.work_out()
    assert known.held == 0


def test_much_that_waits_is_worked_out_at_once() -> None:
    known = KnownTexts()
    body = b"y" * 900_000
    for number in range(20):
        data = body + b"%d" % number
        known.learn(HOME, replace(BASE_TO_ONE, path=f"f{number}.py", hunks=()), name(data), data)
    assert known.held > 0


def test_many_threads_at_once_get_their_own_texts_and_the_bound_holds() -> None:
    known = KnownTexts(most_bytes=30_000)
    wrong: list[object] = []
    start = threading.Barrier(6)

    def work(mine: int) -> None:
        start.wait(5)
        for number in range(120):
            path = f"f{(mine + number) % 9}.py"
            head = BASE + b"%d\n" % (number % 5)
            there = replace(change_of[number % 5], path=path)
            known.learn(HOME, there, name(head), head)
            found = known.text(HOME, there, name(head))
            if found not in {None, head} or known.held > 30_000:
                wrong.append((mine, number, found))

    change_of = [change(BASE, BASE + b"%d\n" % number) for number in range(5)]
    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []


def test_names_of_guidelines_are_remembered_as_they_were_last_and_not_without_end() -> None:
    known = KnownTexts()
    known.learn_guidelines(HOME, ["AGENTS.md"])
    known.learn_guidelines(HOME, [f"{number}.md" for number in range(99)])
    assert known.guidelines(HOME)[0] == "0.md"
    assert len(known.guidelines(HOME)) < 20
    known.learn_guidelines(HOME, [])
    assert known.guidelines(HOME) == ()
