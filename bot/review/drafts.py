"""A review that is ready to post, as JSON and back, so that it can be kept: whoever goes on posts the same one.

Reads strictly: what is not exactly such a draft is a ValueError, for posting half of one would be worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.diff.model import Anchor, HunkKey, Side
from bot.review.model import CommitSha, Fingerprint
from bot.review.ports import DraftComment, ReviewDraft


def dump_draft(draft: ReviewDraft) -> dict[str, Any]:
    """Plain JSON values. Text may hold single surrogates (what was not UTF-8), which `json` writes as escapes."""
    return {
        "commit": draft.commit,
        "run": draft.run,
        "body": draft.body,
        "comments": [_dump_comment(comment) for comment in draft.comments],
    }


def load_draft(data: Mapping[str, Any]) -> ReviewDraft:
    """The draft that was dumped. ValueError when it is none."""
    try:
        return ReviewDraft(
            commit=CommitSha(_text(data["commit"])),
            run=_text(data["run"]),
            body=_text(data["body"]),
            comments=tuple(_load_comment(comment) for comment in _list(data["comments"])),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a kept draft: {error}") from error


def _dump_comment(comment: DraftComment) -> dict[str, Any]:
    anchor = comment.anchor
    return {
        "anchor": {
            "path": anchor.path,
            "side": anchor.side.value,
            "start_line": anchor.start_line,
            "line": anchor.line,
            "hunk": [anchor.hunk.file, anchor.hunk.hunk],
            "text": list(anchor.text),
        },
        "body": comment.body,
        "entry": comment.entry,
        "fingerprint": comment.fingerprint,
    }


def _load_comment(data: Mapping[str, Any]) -> DraftComment:
    anchor = data["anchor"]
    file, hunk = _list(anchor["hunk"])
    return DraftComment(
        anchor=Anchor(
            path=_text(anchor["path"]),
            side=Side(anchor["side"]),
            start_line=_number(anchor["start_line"]),
            line=_number(anchor["line"]),
            hunk=HunkKey(_number(file), _number(hunk)),
            text=tuple(_text(line) for line in _list(anchor["text"])),
        ),
        body=_text(data["body"]),
        entry=_text(data["entry"]),
        fingerprint=Fingerprint(_text(data["fingerprint"])),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no number")
    return value


def _list(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value
