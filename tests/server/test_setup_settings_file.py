from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.server import settings_file
from bot.server.settings_file import SettingsFileError

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/IBAAKC=\nabc\n-----END RSA PRIVATE KEY-----\n"
VALUES = {"SPARK_APP_ID": "7", "SPARK_APP_PRIVATE_KEY": KEY, "SPARK_WEBHOOK_SECRET": "abc123"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def values(path: Path) -> dict[str, str | None]:
    return dotenv_values(path, interpolate=False, encoding="utf-8-sig")


def test_a_new_file_is_the_owners_alone_and_keeps_the_key_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    mask = os.umask(0)
    try:
        written = settings_file.write(path, VALUES)
    finally:
        os.umask(mask)
    assert written.backup is None
    assert mode(path) == 0o600
    assert values(path) == VALUES
    assert len(path.read_text().splitlines()) == len(VALUES)
    assert [each.name for each in tmp_path.iterdir()] == [".env"], "nothing is left beside it"


def test_other_settings_comments_and_blank_lines_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    before = "# ours\n\nSPARK_API_KEY='sk-$1'  # the key\nexport SPARK_MODEL=a b\nSPARK_APP_ID=\n\n\nTEXT=\"two\nlines\"\nLAST=x"
    path.write_text(before)
    path.chmod(0o644)
    written = settings_file.write(path, VALUES)
    assert written.backup is None, "an empty value is no loss"
    assert mode(path) == 0o600
    text = path.read_text()
    assert text.startswith(before.replace("SPARK_APP_ID=", "SPARK_APP_ID=7") + "\n")
    assert values(path) == {"SPARK_API_KEY": "sk-$1", "SPARK_MODEL": "a b", "TEXT": "two\nlines", "LAST": "x", **VALUES}


def test_what_is_replaced_is_kept_beside_it_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    for number in (1, 2):
        path.write_text(f"SPARK_WEBHOOK_SECRET=old{number}\n")
        backup = settings_file.write(path, VALUES).backup
        assert backup is not None
        assert backup.read_text() == f"SPARK_WEBHOOK_SECRET=old{number}\n"
        assert mode(backup) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == [".env", ".env.bak", ".env.bak2"]


def test_of_two_lines_with_one_name_the_last_is_set_and_the_other_goes(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("SPARK_APP_ID=1\nA=b\nexport SPARK_APP_ID=2\n")
    assert settings_file.write(path, {"SPARK_APP_ID": "7"}).backup is not None
    assert path.read_text() == "A=b\nexport SPARK_APP_ID=7\n"


def test_line_ends_and_a_byte_order_mark_of_windows_stay(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbfA=b\r\nSPARK_APP_ID=1\r\n")
    settings_file.write(path, VALUES)
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbfA=b\r\nSPARK_APP_ID=7\r\n")
    assert data.count(b"\n") == data.count(b"\r\n")
    assert values(path) == {"A": "b", **VALUES}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"A=b\nFOO='open\nSPARK_API_KEY=x\n", "line 2"),
        (b"A=\xff\n", "UTF-8"),
        (b"#" * 1_000_001, "too large"),
    ],
    ids=["an open quote", "not utf-8", "too large"],
)
def test_a_file_that_could_not_be_kept_whole_is_refused_and_left(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / ".env"
    path.write_bytes(data)
    for attempt in (settings_file.check, lambda each: settings_file.write(each, VALUES)):
        with pytest.raises(SettingsFileError, match=said):
            attempt(path)
    assert path.read_bytes() == data
    assert [each.name for each in tmp_path.iterdir()] == [".env"]


def test_a_symbolic_link_is_refused_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    there, path = tmp_path / "there", tmp_path / ".env"
    there.write_text("A=b\n")
    path.symlink_to(there)
    with pytest.raises(SettingsFileError, match="symbolic link"):
        settings_file.write(path, VALUES)
    assert there.read_text() == "A=b\n"
    there.unlink()
    with pytest.raises(SettingsFileError, match="symbolic link"):
        settings_file.write(path, VALUES)
    assert not there.exists()


def test_a_folder_or_a_pipe_in_its_place_is_refused_and_nobody_waits(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(SettingsFileError, match="no regular file"):
            settings_file.write(tmp_path / name, VALUES)
    with pytest.raises(SettingsFileError, match="no folder"):
        settings_file.write(tmp_path / "nowhere" / ".env", VALUES)


def test_a_file_system_that_takes_nothing_is_told_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".env"
    path.write_text("A=b\n")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsFileError, match="No space left"):
        settings_file.write(path, VALUES)
    assert [each.name for each in tmp_path.iterdir()] == [".env"]
    assert path.read_text() == "A=b\n"


def test_a_file_that_somebody_makes_meanwhile_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, fsync = tmp_path / ".env", os.fsync

    def meanwhile(handle: int) -> None:
        fsync(handle)
        path.write_text("MINE=1\n")

    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(SettingsFileError, match="somebody else"):
        settings_file.write(path, VALUES)
    assert path.read_text() == "MINE=1\n"
    path.write_text("A=b\n")
    with pytest.raises(SettingsFileError, match="somebody else"):
        settings_file.write(path, VALUES)
    assert path.read_text() == "MINE=1\n"


@pytest.mark.parametrize("comes", [False, True])
def test_where_there_are_no_links_the_file_is_moved_unless_one_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comes: bool
) -> None:
    path = tmp_path / ".env"

    def no_links(*_: object, **__: object) -> None:
        if comes:
            path.write_text("MINE=1\n")
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    if comes:
        with pytest.raises(SettingsFileError):
            settings_file.write(path, VALUES)
        assert path.read_text() == "MINE=1\n"
    else:
        settings_file.write(path, VALUES)
        assert values(path) == VALUES
        assert mode(path) == 0o600


@pytest.mark.parametrize("value", ["a'b\"c", "a\x00b", "a\nb$c", "back\\slash"])
def test_a_value_that_readers_would_read_differently_is_refused(value: str) -> None:
    with pytest.raises(SettingsFileError, match="SPARK_WEBHOOK_SECRET"):
        settings_file.line("SPARK_WEBHOOK_SECRET", value)
    with pytest.raises(SettingsFileError, match="no name"):
        settings_file.line("A\nB", "x")


lines = st.lists(
    st.sampled_from(
        [
            "# note",
            "",
            "A=1",
            "B='x y'",
            'C="p\\nq"',
            "export D=4",
            "SPARK_APP_ID=9",
            "E",
            "  F = g # why",
            "SPARK_APP_ID",
        ]
    ),
    max_size=12,
)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(before=lines, newline=st.sampled_from(["\n", "\r\n"]), end=st.booleans(), value=st.text(max_size=40))
def test_whatever_is_there_the_new_values_are_read_and_the_others_as_before(
    tmp_path_factory: pytest.TempPathFactory, before: list[str], newline: str, end: bool, value: str
) -> None:
    path = tmp_path_factory.mktemp("env") / ".env"
    text = newline.join(before) + (newline if end else "")
    path.write_bytes(text.encode())
    old = dotenv_values(stream=io.StringIO(text, newline=""), interpolate=False)
    try:
        settings_file.write(path, {"SPARK_APP_ID": "7", "SPARK_WEBHOOK_SECRET": value})
    except SettingsFileError:
        assert path.read_bytes() == text.encode()
        return
    assert values(path) == {**old, "SPARK_APP_ID": "7", "SPARK_WEBHOOK_SECRET": value}
