from __future__ import annotations

import pytest

from bot.git.merge import merge3

BASE = b"one\ntwo\nthree\nfour\nfive\nsix\nseven\n"


def test_changes_in_different_places_come_together() -> None:
    ours = BASE.replace(b"seven", b"SEVEN")
    theirs = BASE.replace(b"two\n", b"")

    assert merge3(BASE, ours, theirs) == b"one\nthree\nfour\nfive\nsix\nSEVEN\n"


def test_changes_of_the_same_lines_are_a_conflict() -> None:
    assert merge3(BASE, BASE.replace(b"two", b"2"), BASE.replace(b"two", b"deux")) is None


def test_more_conflicts_than_an_exit_code_counts_are_a_conflict() -> None:
    base = b"".join(b"line %d\nstay\nstay\nstay\n" % at for at in range(300))
    assert merge3(base, base.replace(b"line", b"ours"), base.replace(b"line", b"theirs")) is None


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_line_ends_and_a_missing_newline_at_the_end_stay_as_they_are(end: bytes) -> None:
    base = BASE.replace(b"\n", end).removesuffix(end)
    ours = base.replace(b"one", b"\xff one")
    theirs = base.replace(b"six", b"6")

    assert merge3(base, ours, theirs) == base.replace(b"one", b"\xff one").replace(b"six", b"6")


def test_the_side_that_did_not_change_is_left_as_the_other_one_is() -> None:
    assert merge3(b"\0a", b"\0a", b"\0b") == b"\0b"
    assert merge3(b"a", b"b", b"a") == b"b"
    assert merge3(b"a", b"b", b"b") == b"b"


def test_binary_files_that_both_changed_are_a_conflict() -> None:
    assert merge3(b"\0a", b"\0b", b"\0c") is None


def test_a_configuration_of_the_user_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "merge.conflictStyle")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "diff3")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")

    assert merge3(BASE, BASE.replace(b"one", b"1"), BASE.replace(b"six", b"6")) is not None
