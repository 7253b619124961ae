"""What may stand before the first file of a diff, and what makes the whole input no diff at all.

Text before a diff is often a commit message, and whoever wrote the message can write a diff into it. `git show` and
`git log` indent a message, so it fakes nothing. A mail (`git format-patch`, GitHub's `.patch`) does not: there the diff
begins behind the last `---` line with its diffstat, and what looks like a diff before it is told, not read. Several
commits in one input are refused: the line numbers of the earlier ones do not hold in the last.
"""

from __future__ import annotations

import re

from bot.errors import DiffUnreadableError

_STARTS = (b"diff --git ", b"diff --cc ", b"diff --combined ")
_MAIL = re.compile(rb"From [0-9a-f]{40,64} |(?:From|Subject|Date|Message-I[Dd]): ")
_MAIL_BOUNDARY = re.compile(rb"From [0-9a-f]{40,64} \w{3} \w{3} ")
_COMMIT = re.compile(rb"commit [0-9a-f]{40,64}(?: \(.*\))?")
_GIVE_ONE = "Give one diff, such as the output of `git diff BASE...HEAD`"


def read_bytes(data: bytes) -> list[bytes]:
    """The lines of `data` without their newlines; a byte order mark and the carriage returns of a translation are gone.

    A diff counts as translated as a whole to CRLF when its first header line ends with a carriage return: git quotes
    such a byte in a name, so it cannot belong there.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        # Windows PowerShell writes `git diff > file` as UTF-16.
        try:
            data = data.decode("utf-16").encode("utf-8")
        except UnicodeError as error:
            raise DiffUnreadableError(
                "The diff is broken UTF-16", remedy="Write it with `git diff --output`"
            ) from error
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    header = next((line for line in lines if line.startswith((*_STARTS, b"--- "))), b"")
    if header.endswith(b"\r"):
        return [line.removesuffix(b"\r") for line in lines]
    return lines


def diff_start(lines: list[bytes]) -> tuple[int, bool]:
    """Index of the line from which `lines` may be read as a diff, and whether it is a mail (ends with a signature).

    0 unless the input is a mail. DiffUnreadableError when the input is several mails, or a mail without a diff.
    """
    first = next((line for line in lines if line.strip()), b"")
    if not _MAIL.match(first):
        return 0, False
    if sum(_MAIL_BOUNDARY.match(line) is not None for line in lines) > 1:
        raise DiffUnreadableError("This is a series of mails, one for each commit", remedy=_GIVE_ONE)
    start = None
    behind_separator = False
    for at, line in enumerate(lines):
        if line == b"---":
            behind_separator = True
        elif behind_separator and line.startswith(_STARTS):
            # The blank line cannot come from a hunk: there it would have a space.
            if lines[at - 1] == b"":
                start = at
            behind_separator = False
        elif line and not line.startswith(b" "):
            behind_separator = False
    if start is None:
        raise DiffUnreadableError("This mail has no `---` line with a diff behind it", remedy=_GIVE_ONE)
    return start, True


def looks_like_start(line: bytes) -> bool:
    """Whether a line at the left margin begins a file of a git diff."""
    return line.startswith(_STARTS)


def is_commit(line: bytes) -> bool:
    """Whether this is the line with which `git show` and `git log` begin a commit."""
    return _COMMIT.fullmatch(line) is not None


def refuse_series() -> DiffUnreadableError:
    """The error for the output of `git log -p`."""
    return DiffUnreadableError("This is a series of commits, not one change", remedy=_GIVE_ONE)


def refuse(lines: list[bytes]) -> DiffUnreadableError:
    """The error for text in which there is no diff, with a guess at what it is instead."""
    text = b"\n".join(lines[:50]).lstrip()[:2000]
    lowered = text.lower()
    if lowered.startswith((b"{", b"[")):
        return DiffUnreadableError("This is JSON, not a diff", remedy="It may be the error message of a server")
    if lowered.startswith((b"<!doctype", b"<html", b"<?xml")):
        return DiffUnreadableError("This is a web page, not a diff", remedy="It may be the error page of a server")
    if b"\x1b[" in text:
        return DiffUnreadableError("The diff is coloured", remedy="Give it without colours: `git diff --no-color`")
    return DiffUnreadableError("There is no diff in this text", remedy=_GIVE_ONE)
