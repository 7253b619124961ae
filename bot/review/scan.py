"""JSON objects out of a stream of text that is mostly, but never surely, JSON Lines.

An object is out the moment its last brace has arrived, in whatever pieces it came: one on a line, over several lines, in
an array, in a wrapping object, in a code fence, with prose around it. A broken object costs itself alone: the next line
that is an object by itself starts anew. Time is linear in the length of the text, and no text makes this raise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

import jiter

Object = dict[str, object]

_NESTED = 3
"""An object wrapped deeper than this is not looked at."""

_SPACE = " \t\r\n"
_TO_QUOTE_OR_BRACE = re.compile(r'["{}\n]')
_TO_STRING_END = re.compile(r'["\\\n]')
_NOT_BLANK = re.compile(r"[^ \t\r]")

_STRING_OR_COMMA = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|,(?=[ \t\r\n]*[}\]])', re.DOTALL)
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_BAD_IN_STRING = re.compile(rf'{_PAIR}|[\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{{4}})|\\')
_HALF = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}\Z")

_Start = tuple[int, int]
"""Index of a piece and offset in it."""


class _State(Enum):
    OUTSIDE = "outside"
    OPENING = "opening"
    """Behind a brace outside of any object: only a quote makes it the start of one."""
    INSIDE = "inside"
    STRING = "string"
    ESCAPE = "escape"


class ObjectScanner:
    """Feed it text; it calls back nothing and gives objects that `wanted` likes.

    `wanted` is asked for every object, also for those inside others. `garbled` counts what began like an object and was
    none, or was one that nobody wanted.
    """

    def __init__(self, wanted: Callable[[Object], bool]) -> None:
        self.garbled = 0
        self._wanted = wanted
        self._state = _State.OUTSIDE
        self._depth = 0
        self._starts: list[_Start] = []
        """Where the open objects began, of the outer ones as many as are looked at."""
        self._pieces: list[str] = []
        """The text from the piece in which the outermost open object began."""
        self._fresh = False
        """Whether only blanks came since the last line break inside an object."""
        self._candidate: _Start | None = None
        """The start of a line inside an open object that may be an object by itself."""
        self._again: _Start | None = None
        """Where to read again from, when an object broke in the middle of a line that may be one by itself."""
        self._found: list[Object] = []

    def feed(self, text: str) -> list[Object]:
        """Objects that `text` completes."""
        if text:
            self._pieces.append(text)
            at = 0
            while at < len(text):
                at = self._step(text, at)
                if self._again is not None:
                    text, at = self._rewound(text)
            if self._state is _State.OUTSIDE:
                self._pieces.clear()
        found, self._found = self._found, []
        return found

    def finish(self) -> list[Object]:
        """What the last line holds when the text is over."""
        if self._state not in {_State.OUTSIDE, _State.OPENING}:
            self._end_of_line(len(self._pieces) - 1, len(self._pieces[-1]))
        if self._state not in {_State.OUTSIDE, _State.OPENING}:
            self.garbled += 1
        self._reset()
        self._pieces.clear()
        found, self._found = self._found, []
        return found

    def _step(self, text: str, at: int) -> int:
        """Looks at the text from `at`; gives where to go on."""
        match self._state:
            case _State.OUTSIDE:
                brace = text.find("{", at)
                if brace < 0:
                    return len(text)
                # Earlier pieces belong to no object.
                self._pieces[:] = [text]
                self._starts = [(0, brace)]
                self._state = _State.OPENING
                return brace + 1
            case _State.OPENING:
                return self._opening(text, at)
            case _State.ESCAPE:
                # Anything may be escaped but a line break: that one still ends the line.
                self._state = _State.STRING
                return at if text[at] == "\n" else at + 1
            case _:
                return self._inside(text, at)

    def _opening(self, text: str, at: int) -> int:
        char = text[at]
        if char in _SPACE:
            return at + 1
        if char == '"':
            self._state = _State.STRING
            self._depth = 1
            return at + 1
        self._reset()
        # The same character again, from outside: it may be the brace that counts.
        return at

    def _inside(self, text: str, at: int) -> int:
        here = len(self._pieces) - 1
        if self._fresh:
            blank = _NOT_BLANK.search(text, at)
            if blank is None:
                return len(text)
            at = blank.start()
            if text[at] != "\n":
                self._fresh = False
                self._candidate = (here, at) if text[at] == "{" else None
        in_string = self._state is _State.STRING
        match = (_TO_STRING_END if in_string else _TO_QUOTE_OR_BRACE).search(text, at)
        if match is None:
            return len(text)
        at = match.start()
        char = match.group()
        if char == "\n":
            self._end_of_line(here, at)
            self._fresh = self._state is not _State.OUTSIDE
        elif char == '"':
            self._state = _State.INSIDE if in_string else _State.STRING
        elif char == "\\":
            self._state = _State.ESCAPE
        elif char == "{":
            self._depth += 1
            if self._depth <= _NESTED:
                self._starts.append((here, at))
        else:
            self._close(here, at + 1)
        return at + 1

    def _close(self, piece: int, end: int) -> None:
        if self._depth <= _NESTED:
            start = self._starts.pop()
            value = read_object(self._slice(start, piece, end))
            if value is not None and self._wanted(value):
                self._emit(value, start)
                return
            if self._depth == 1:
                self.garbled += 1
                self._again = self._candidate if value is None else None
        self._depth -= 1
        if self._depth == 0:
            self._reset()

    def _rewound(self, text: str) -> tuple[str, int]:
        """The text to go on with, and from where. Happens at most once a line, so time stays linear."""
        assert self._again is not None
        (piece, offset), self._again = self._again, None
        if piece == len(self._pieces) - 1:
            return text, offset
        text = self._slice((piece, offset), len(self._pieces) - 1, len(text))
        self._pieces = [text]
        return text, 0

    def _end_of_line(self, piece: int, end: int) -> None:
        candidate, self._candidate = self._candidate, None
        if candidate is None:
            return
        value = read_object(self._slice(candidate, piece, end).rstrip(" \t\r,"))
        if value is not None and self._wanted(value):
            self._emit(value, candidate)

    def _emit(self, value: Object, start: _Start) -> None:
        """Give `value`, which began at `start`, and leave whatever was open around it."""
        self._found.append(value)
        if self._starts and self._starts[0] != start:
            around = self._slice(self._starts[0], *start).rstrip()
            # `{"findings": [` is a wrapper; anything else is an object that lost its end.
            if not around.endswith(("[", ":")):
                self.garbled += 1
        self._reset()

    def _slice(self, start: _Start, piece: int, end: int) -> str:
        first, offset = start
        if first == piece:
            return self._pieces[piece][offset:end]
        return "".join((self._pieces[first][offset:], *self._pieces[first + 1 : piece], self._pieces[piece][:end]))

    def _reset(self) -> None:
        self._state = _State.OUTSIDE
        self._depth = 0
        self._starts.clear()
        self._fresh = False
        self._candidate = None


def read_object(text: str) -> Object | None:
    """`text` as a JSON object, mended where models err: trailing commas, raw line breaks and odd escapes in strings."""
    for mend in (None, _mended):
        try:
            value = jiter.from_json((mend(text) if mend else text).encode("utf-8", "replace"), allow_inf_nan=False)
        except ValueError:
            continue
        return value if isinstance(value, dict) else None
    return None


def _mended(text: str) -> str:
    return _STRING_OR_COMMA.sub(lambda match: _mended_string(match.group()), text)


def _mended_string(found: str) -> str:
    return "" if found == "," else _BAD_IN_STRING.sub(_escaped, found)


def _escaped(match: re.Match[str]) -> str:
    found = match.group()
    if found == "\\":
        return "\\\\"
    if found[0] == "\\":
        # Half of a surrogate pair is an error to the reader.
        return "\\ufffd" if _HALF.match(found) else found
    return f"\\u{ord(found):04x}"
