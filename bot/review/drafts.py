"""A review that is ready to post, as JSON and back, so that it can be kept: whoever goes on posts the same one.

Reads strictly: what is not exactly such a draft is a ValueError, for posting half of one would be worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.diff.model import Anchor, HunkKey, Side
from bot.review.memory import CommentId, ThreadId
from bot.review.model import CommitSha, Fingerprint
from bot.review.ports import Amend, DraftComment, ReviewDraft, Then, ThreadStep


def dump_draft(draft: ReviewDraft) -> dict[str, Any]:
    """Plain JSON values. Text may hold single surrogates (what was not UTF-8), which `json` writes as escapes."""
    return {
        "commit": draft.commit,
        "run": draft.run,
        "body": draft.body,
        "comments": [_dump_comment(comment) for comment in draft.comments],
        "amend": None if draft.amend is None else _dump_amend(draft.amend),
        "steps": [_dump_step(step) for step in draft.steps],
    }


def load_draft(data: Mapping[str, Any]) -> ReviewDraft:
    """The draft that was dumped. ValueError when it is none."""
    try:
        return ReviewDraft(
            commit=CommitSha(_text(data["commit"])),
            run=_text(data["run"]),
            body=_text(data["body"]),
            comments=tuple(_load_comment(comment) for comment in _list(data["comments"])),
            amend=None if data["amend"] is None else _load_amend(data["amend"]),
            steps=tuple(_load_step(step) for step in _list(data["steps"])),
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


def _dump_amend(amend: Amend) -> dict[str, Any]:
    return {"id": amend.id, "url": amend.url, "in_conversation": amend.in_conversation}


def _load_amend(data: Mapping[str, Any]) -> Amend:
    in_conversation = data["in_conversation"]
    if not isinstance(in_conversation, bool):
        raise TypeError(f"{in_conversation!r} is neither true nor false")
    return Amend(id=_number(data["id"]), url=_text(data["url"]), in_conversation=in_conversation)


def _dump_step(step: ThreadStep) -> dict[str, Any]:
    return {
        "thread": step.thread,
        "root": step.root,
        "body": step.body,
        "then": step.then.value,
        "follows": step.follows,
    }


def _load_step(data: Mapping[str, Any]) -> ThreadStep:
    return ThreadStep(
        thread=ThreadId(_text(data["thread"])),
        root=CommentId(_number(data["root"])),
        body=_text(data["body"]),
        then=Then(data["then"]),
        follows=None if (after := data.get("follows")) is None else ThreadId(_text(after)),
    )


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
