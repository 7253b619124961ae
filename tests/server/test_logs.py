"""Log lines: one line each, JSON or text, with no secret in them whoever wrote them."""

from __future__ import annotations

import io
import json
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from bot import log
from bot.server import logs
from bot.server.logs import Style, secrets_of
from bot.settings import read_settings

GITHUB = "ghs_" + "a1B2c3D4" * 5
KEY = "gsk_" + "z9Y8x7" * 5


@pytest.fixture
def written() -> Iterator[Callable[..., io.StringIO]]:
    """Set the logs up; gives what is written. Everything is as before at the end."""
    root, before_hook = logging.getLogger(), threading.excepthook
    before = (list(root.handlers), root.level, log.LOGGER.level)

    def set_up(style: Style = Style.JSON, **more: object) -> io.StringIO:
        stream = io.StringIO()
        logs.set_up(style, stream=stream, **more)  # type: ignore[arg-type]
        return stream

    yield set_up
    root.handlers[:], threading.excepthook = before[0], before_hook
    root.setLevel(before[1])
    log.LOGGER.setLevel(before[2])
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_object_with_its_time_level_name_and_fields(written):
    stream = written()
    log.info("job.started", delivery="d-1", job="0123", waited=0.25, fork=False, number=7, url=None)
    (line,) = lines(stream)
    at = datetime.fromisoformat(str(line.pop("at")))
    assert at.utcoffset() == timedelta(0)
    assert line == {
        "level": "info", "event": "job.started", "delivery": "d-1", "job": "0123", "waited": 0.25, "fork": False,
        "number": 7, "url": None,
    }  # fmt: skip


def test_a_field_cannot_take_the_place_of_the_time_or_make_a_second_line(written):
    stream = written()
    log.warning("odd", at="never", event="else", text="a\nb\u2028c\x1b[31m\u202ed")
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().isascii()
    (line,) = lines(stream)
    assert line["event"] == "odd"
    assert line["at"] != "never"
    assert line["github_event"] == "else"
    assert line["text"] == "a\nb\u2028c\x1b[31m\u202ed"


def test_text_lines_obey_no_control_character(written):
    stream = written(Style.TEXT)
    log.info("odd", text="a\nb\x1b[31m\u202ed", nothing=None)
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(r"info    odd text=a\nb\u001b[31m\u202ed")


@pytest.mark.parametrize("style", list(Style))
def test_no_secret_is_written_whoever_has_it_in_a_message(written, style):
    settings = read_settings(
        {
            "SPARK_WEBHOOK_SECRET": "hook-secret-1,hook-secret-2",
            "SPARK_PAGE_TOKEN": "page-token-1",
            "SPARK_API_KEY": "endpoint-key-1",
            "SPARK_DATABASE_URL": "postgresql://u:db-password@h/d",
            "SPARK_APP_PRIVATE_KEY": "-----BEGIN RSA PRIVATE KEY-----\nMIIEline1\nMIIEline2\n-----END",
            "GITHUB_TOKEN": "plain-token",
        }
    )
    stream = written(style, secrets=secrets_of(settings))
    own = "hook-secret-1 hook-secret-2 page-token-1 endpoint-key-1 plain-token MIIEline2 postgresql://u:db-password@h/d"
    log.info("one", text=own)
    log.info("two", text=f"{GITHUB} {KEY} Bearer abc.def postgres://me:pass-word@host/x")
    logging.getLogger("somebody").error("%s and %s", "hook-secret-2", GITHUB)
    try:
        raise ValueError(f"endpoint-key-1 {KEY}")  # noqa: TRY301 - a trace is wanted
    except ValueError as error:
        log.error("three", exc=error)
    told = stream.getvalue()
    assert told.count("\n") == 4
    for secret in (*own.split()[:6], "db-password", GITHUB, KEY, "abc.def", "pass-word"):
        assert secret not in told


def test_a_secret_at_the_end_of_a_long_field_is_not_cut_in_two(written):
    stream = written()
    log.info("long", text="x" * (logs.LONGEST_FIELD - 20) + " " + GITHUB)
    assert "ghs_" not in stream.getvalue()
    assert len(str(lines(stream)[0]["text"])) <= logs.LONGEST_FIELD + 1


def test_an_exception_is_its_class_its_words_and_where_it_was_without_any_code(written):
    stream = written()

    def inner() -> None:
        raise KeyError("which")

    try:
        try:
            inner()
        except KeyError as error:
            raise RuntimeError("two\nlines") from error
    except RuntimeError as error:
        log.error("broken", exc=error)
    (line,) = lines(stream)
    assert line["error"] == "RuntimeError: two lines, from KeyError: 'which'"
    assert str(line["trace"]).startswith("server/test_logs.py:")
    assert "raise" not in stream.getvalue()


def test_what_a_thread_dies_of_is_an_event(written):
    stream = written()
    thread = threading.Thread(target=lambda: 1 // 0, name="busy")
    thread.start()
    thread.join()
    (line,) = lines(stream)
    assert (line["event"], line["thread"]) == ("thread.died", "busy")
    assert str(line["error"]).startswith("ZeroDivisionError")


def test_libraries_are_heard_from_warnings_on(written):
    stream = written()
    logging.getLogger("sqlalchemy.pool").info("chatter")
    logging.getLogger("sqlalchemy.pool").warning("pool is %s", "full")
    logging.getLogger("urllib3.connectionpool").warning("Retrying, for the third time")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    told = lines(stream)
    assert [line["event"] for line in told] == ["sqlalchemy.pool", "py.warnings"]
    assert told[0]["text"] == "pool is full"
