"""`/spark fix`: a thread's finding, or what somebody asks for in one file, as a suggestion, a commit or a diff.

A suggestion is posted only where it replaces exactly the lines it stands on and was proven on the head's file. A commit
is made only on the head that the file was read at; nothing is ever forced. Where a commit cannot be made, the answer says
why and gives the suggestion instead. What is under `.github/` is never committed by us: a workflow there would run with
the rights of the repository, and our own rules stand there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.commands import answers, editor, fix_words
from bot.commands.call import Call
from bot.commands.commits import committed_mark, earlier, forbidden, message, new_secret
from bot.commands.edits import Edited, Span, Unedited, edited, hull, replacement, source_lines
from bot.commands.fix_all import fix_all
from bot.commands.fix_target import Refused, Target, in_file, in_thread, named_file, only_heard
from bot.commands.mended import Mends, nothing_left
from bot.commands.model import Outcome, Reaction, Verb
from bot.commands.ports import CommitDraft, Committed, PullCommit
from bot.diff.anchors import anchor_lines
from bot.diff.edit import Proven, prove
from bot.diff.mend import join_lines
from bot.diff.model import Anchor, Side
from bot.review.children import Child, child_mark
from bot.review.model import CommitSha, Usage
from bot.review.ports import Opened
from bot.review.recall import line_digests
from bot.review.render.characters import hides
from bot.review.render.markers import NOTE_SUGGESTION, note_marker, read_keys, step_marker
from bot.review.render.redact import Redactor
from bot.review.render.safe import fence

LONGEST_SUGGESTION = 20_000
"""Characters; a longer one is shown as a diff or committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suggestion:
    """Fit to be committed with a click."""

    anchor: Anchor
    text: str
    crlf: bool


def fix(call: Call) -> Outcome:
    """Mend what was reported, or do what is asked for. `fix all` has its own module."""
    command = call.command
    assert command is not None
    if not call.desk.pull.is_open:
        return _refused(call, answers.closed(Verb.FIX), "the pull request is closed")
    if command.everything:
        return fix_all(call)
    if command.commit and (made := earlier(call.desk.branch.commits(), call.ref)) is not None:
        return _committed(call, made, fix_words.committed_before(fix_words.link_in(call.desk.pull.url, made.sha)))
    opened = call.desk.opened()
    target = _target(call, opened)
    if isinstance(target, Refused):
        if target.mended is not None:
            return nothing_left(call, target.mended)
        return _refused(call, target.answer or fix_words.cannot(target.reason, call.shapes), target.reason)
    return _Fixing(call, opened, target).done(commit=command.commit)


def _target(call: Call, opened: Opened) -> Target | Refused:
    if call.thread is not None:
        return in_thread(call, opened, call.thread)
    found = named_file(opened.change.patch, call.rest)
    if found is None:
        return Refused(reason="no file of the change was named", answer=fix_words.how_to_name_a_file())
    path, instruction = found
    if not instruction:
        return Refused(reason="nothing was asked for", answer=fix_words.no_task(path, call.shapes))
    return in_file(call, opened, path, instruction)


class _Fixing:
    """One fix on its way out."""

    def __init__(self, call: Call, opened: Opened, target: Target) -> None:
        self._call = call
        self._opened = opened
        self._target = target
        self._redactor = Redactor(opened.change.patch)
        self._usage = Usage()

    def done(self, *, commit: bool) -> Outcome:
        """The edit, then its way: commit, suggestion, suggestion elsewhere, diff."""
        made = self._edit()
        if isinstance(made, Unedited):
            words = fix_words.declined if made.declined else fix_words.cannot
            return self._refused(words(made.reason, self._redactor), made.reason)
        reason = self._unfit(made)
        if reason:
            return self._refused(fix_words.cannot(reason, self._redactor), reason)
        fallen = ""
        if commit:
            result = self._commit(made)
            if isinstance(result, Outcome):
                return result
            fallen = result
        return self._suggest(made, fallen)

    def _edit(self) -> Edited | Unedited:
        target = self._target
        if target.patch is not None and target.patched is not None:
            span = Span(
                start=target.patched.start_line - 1,
                end=target.patched.line,
                lines=tuple(_lines(target.patch.suggestion)),
            )
            return edited(target.text, target.path, [span])
        model = self._call.desk.model
        if model is None:
            return Unedited(reason="there is no model to ask: the server has no key of an endpoint")
        asked = editor.ask(
            model,
            editor.Task(
                path=target.path,
                text=target.text,
                place=target.place,
                near=target.near,
                problems=target.problems,
                conversation=target.conversation,
                instruction=target.instruction,
            ),
            effort=self._call.desk.effort or self._call.config.review.effort,
            stop=self._call.desk.stop,
        )
        self._usage += asked.usage
        return asked.result

    def _unfit(self, made: Edited) -> str:
        new = [line for span in made.spans for line in span.lines]
        if new_secret(self._redactor, self._target.text, new):
            return "the change would write a secret into the file"
        return ""

    # -- as a commit -------------------------------------------------------------------------------------------------

    def _commit(self, made: Edited) -> Outcome | str:
        """The outcome, or why there is no commit."""
        target, desk = self._target, self._call.desk
        if forbidden(target.path):
            return "I never commit to files under `.github/`: what stands there runs with the rights of the repository"
        blocked = desk.branch.blocked()
        if blocked:
            return blocked
        headline, body = message(
            f"Fix {target.path}",
            [self._redactor.redact(part) for part in (target.title, made.why) if part],
            self._call.ref,
        )
        result = desk.branch.commit(
            CommitDraft(
                expected_head=target.head,
                headline=headline,
                body=body,
                files={target.path: made.text.encode("utf-8", "surrogateescape")},
            )
        )
        if not isinstance(result, Committed):
            known = self._call.known
            if result.moved_to is not None and known is not None and not target.instruction:
                mended = Mends(call=self._call).of(known)
                if mended is not None and mended.meant:
                    return replace(nothing_left(self._call, mended), usd=self._usage.usd)
            return result.reason
        link = fix_words.commit_link(result.sha, result.url)
        told = fix_words.committed(made.why, link, target.path, self._redactor)
        url = self._call.answer(f"{told}{_mark(self._call, result.sha)}")
        self._call.react(Reaction.DONE)
        why = f"committed {fix_words.short(result.sha)}"
        return Outcome(what="committed", why=why, url=url, commit=result.sha, usd=self._usage.usd)

    # -- as a suggestion, or a diff ------------------------------------------------------------------------------------

    def _suggest(self, made: Edited, fallen: str) -> Outcome:
        redactor = self._redactor
        inside = self._in_thread(made)
        if isinstance(inside, _Suggestion) and self._stands_above(inside.text):
            may_commit = self._call.may_write and not forbidden(self._target.path)
            body = fix_words.still_holds(fallen, may_commit=may_commit, redactor=redactor)
            return self._answered(body, "suggested", "the suggestion above still holds")
        if isinstance(inside, _Suggestion):
            body = fix_words.suggested(made.why, inside.text, crlf=inside.crlf, fallen=fallen, redactor=redactor)
            return self._answered(f"{body}{self._carried(inside)}", "suggested", "a suggestion in the thread")
        elsewhere = self._elsewhere(made)
        if isinstance(elsewhere, _Suggestion):
            url = self._posted(made, elsewhere)
            if url is not None:
                body = fix_words.suggested_elsewhere(made.why, url, fallen=fallen, redactor=redactor)
                return self._answered(body, "suggested", "a suggestion on other lines")
            elsewhere = "GitHub takes no comment on its lines"
        diff = self._call.desk.diff(
            *(text.encode("utf-8", "surrogateescape") for text in (self._target.text, made.text))
        )
        body = fix_words.shown(
            made.why,
            diff,
            self._target.path,
            because=elsewhere if inside is None else inside,
            fallen=fallen,
            may_commit=not forbidden(self._target.path),
            redactor=redactor,
        )
        return self._answered(body, "answered", "the change as a diff")

    def _in_thread(self, made: Edited) -> _Suggestion | str | None:
        """For the lines of the thread; None when the edit lies elsewhere, a text when it cannot be one here."""
        anchor = self._target.thread
        start, end = hull(made.spans)
        if anchor is None or not anchor.start_line - 1 <= start <= end <= anchor.line:
            return None
        return self._proven(made, anchor)

    def _stands_above(self, suggestion: str) -> bool:
        """Whether a comment of ours in the thread shows this suggestion already."""
        block = fence(suggestion, "suggestion")
        thread = self._call.thread
        return thread is not None and any(
            said.is_ours and f"\n{block}\n" in f"\n{said.body}\n".replace("\r\n", "\n") for said in thread.comments
        )

    def _carried(self, suggestion: _Suggestion) -> str:
        """The finding with this patch, as a mark: so that `--commit` and `/spark fix all` take just this one.

        Not for what somebody asked for beside it, and not where a stranger had a word in it: those commit without a look.
        """
        known, thread = self._call.known, self._call.thread
        if (
            known is None
            or thread is None
            or self._call.parent is not None
            or self._target.instruction
            or len(suggestion.text) > NOTE_SUGGESTION
        ):
            return ""
        if line_digests(suggestion.anchor.text) != known.note.lines or not only_heard(self._call, thread):
            return ""
        return f"\n\n{note_marker(replace(known.note, suggestion=suggestion.text))}"

    def _elsewhere(self, made: Edited) -> _Suggestion | str:
        """For other lines of the diff: all of the edit in one hunk."""
        file = self._target.file
        if file is None:
            return "the file is not in the diff of this pull request"
        start, end = hull(made.spans)
        # What is only put between two lines needs one of them to stand on.
        ranges = [(start + 1, end)] if start < end else [(start + 1, start + 1), (start, start)]
        for first, last in ranges:
            anchor = anchor_lines(file, Side.RIGHT, first, last) if first >= 1 else None
            if isinstance(anchor, Anchor):
                return self._proven(made, anchor)
        return "it reaches over lines that are not in the diff"

    def _proven(self, made: Edited, anchor: Anchor) -> _Suggestion | str:
        lines = source_lines(self._target.text)
        new = replacement(lines, made.spans, anchor.start_line - 1, anchor.line)
        proven = prove(self._target.text, anchor, join_lines(list(new)))
        if not isinstance(proven, Proven):
            return proven.reason
        if proven.text != made.text:
            return "committed with a click it would give another file"
        if self._redactor.has_secret(proven.suggestion):
            return "its lines contain a secret"
        if hides(proven.suggestion):
            return "its lines contain invisible characters"
        if len(proven.suggestion) > LONGEST_SUGGESTION:
            return f"it is too long ({len(proven.suggestion):,} characters)"
        crlf = any(line.end == "\r\n" for line in lines[anchor.start_line - 1 : anchor.line])
        return _Suggestion(anchor=anchor, text=proven.suggestion, crlf=crlf)

    def _posted(self, made: Edited, suggestion: _Suggestion) -> str | None:
        """A thread of its own for the suggestion; the one of an earlier run is found."""
        key = f"fix-{self._call.ref.key}"
        for thread in self._call.recall.threads:
            if thread.is_ours and key in read_keys(thread.comments[0].body, "step"):
                return thread.url
        asked = self._call.parent or self._call.thread
        body = fix_words.suggestion_elsewhere(
            made.why,
            suggestion.text,
            title=self._target.title,
            asked_at=asked.url if asked is not None else "",
            crlf=suggestion.crlf,
            redactor=self._redactor,
        )
        marks = [step_marker(key)]
        if asked is not None:
            lines = line_digests(suggestion.anchor.text)
            marks.append(child_mark(Child(parent=asked.comments[0].id, lines=lines, suggestion=suggestion.text)))
        return self._call.desk.talk.suggest(self._target.head, suggestion.anchor, "\n\n".join([body, "\n".join(marks)]))

    def _answered(self, body: str, what: str, why: str) -> Outcome:
        return Outcome(what=what, why=why, url=self._call.answer(body), usd=self._usage.usd)

    def _refused(self, body: str, why: str) -> Outcome:
        return replace(_refused(self._call, body, why), usd=self._usage.usd)


def _lines(suggestion: str) -> list[str]:
    return suggestion.removesuffix("\n").split("\n") if suggestion else []


def _refused(call: Call, body: str, why: str) -> Outcome:
    url = call.answer(body)
    call.react(Reaction.NO)
    return Outcome(what="refused", why=why, url=url)


def _mark(call: Call, sha: CommitSha) -> str:
    """Behind the answer in the thread of a finding."""
    return committed_mark(sha) if call.thread is not None and call.known is not None else ""


def _committed(call: Call, made: PullCommit, body: str) -> Outcome:
    why = f"committed {fix_words.short(made.sha)} before"
    url = call.answer(f"{body}{_mark(call, made.sha)}")
    return Outcome(what="committed", why=why, url=url, commit=made.sha)
