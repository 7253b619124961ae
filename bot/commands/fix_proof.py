"""The review of a combined change before it is committed: the whole use case over files in memory, with nothing posted.

A critical or high finding that the check does not refute takes out the patch whose lines it is about. A file that the
review could not see whole is not committed: a patch that nobody looked at in its new company has no proof.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from bot.commands.call import Call
from bot.commands.fix_plan import FindingPatch, Laid, LeftOut, struck
from bot.diff.model import BadSection, FilePatch, FileStatus, Patch, Side
from bot.diff.parse import read_fragment
from bot.errors import OutsideError, SparkError
from bot.review.model import Change, Effort, Finding, Review, Severity, Usage
from bot.review.options import Deaf, Options, Services
from bot.review.ports import HeadFiles, Opened, Stop
from bot.review.run import run_review

CONTEXT = 3
"""Lines of context in a diff: a finding on one of them is about the patch beside it."""
REVIEW_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the second review says."""

    out: tuple[FindingPatch, ...]
    left: tuple[LeftOut, ...]
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """The combined files, and the others as the head has them."""

    new: Mapping[str, str]
    rest: HeadFiles

    def text(self, path: str) -> str | None:
        """As the commit would have it."""
        return self.new[path] if path in self.new else self.rest.text(path)

    def prefetch(self, paths: Sequence[str]) -> None:
        """Everything is here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """The combined change, ready made."""

    opened: Opened

    def open(self) -> Opened:
        """At once."""
        return self.opened


class Diffs:
    """The hunks of files before and after, made in threads; what will be asked for may be begun before."""

    def __init__(self, call: Call, pool: ThreadPoolExecutor) -> None:
        self._diff = call.desk.diff
        self._pool = pool
        self._made: dict[tuple[str, str], Future[str]] = {}

    def begin(self, old: str, new: str) -> Future[str]:
        """Asked twice it is made once. For one thread alone."""
        if (old, new) not in self._made:
            self._made[old, new] = self._pool.submit(self._diff, _bytes(old), _bytes(new))
        return self._made[old, new]


def review_again(call: Call, opened: Opened, texts: Mapping[str, str], laid: Mapping[str, Laid], diffs: Diffs) -> Proof:
    """Review the step from `texts` (the head's files) to `laid`. Raises OutsideError when the process stops, for the job runs again."""
    begun = [diffs.begin(texts[path], one.text) for path, one in laid.items()]
    read = [
        read_fragment(index=index, path=path, old_path=None, status=FileStatus.MODIFIED, fragment=diff.result())
        for index, (path, diff) in enumerate(zip(laid, begun, strict=True))
    ]
    patch = Patch(
        files=tuple(file for file in read if isinstance(file, FilePatch)),
        bad=tuple(file for file in read if isinstance(file, BadSection)),
    )
    change = Change(
        patch=patch,
        base=opened.change.head,
        head="",
        title="Apply the suggested changes of a review",
        description=_description(laid),
    )
    combined = Opened(
        change=change,
        files=_Files(new={path: one.text for path, one in laid.items()}, rest=opened.files),
        base_texts=opened.base_texts,
        base_text=opened.base_text,
    )
    stop, forget = _stop(call)
    model = call.desk.model
    assert model is not None
    try:
        review = run_review(
            _Source(opened=combined),
            Options(effort=Effort.STANDARD, streams=call.desk.streams, never_fail=True),
            Services(
                model=lambda _usd: model,
                analyzers=(),
                publisher=None,
                listener=Deaf(),
                clock=call.desk.clock,
                stop=stop,
            ),
        )
    except SparkError as error:
        if call.desk.stop.cancelled:
            raise
        why = f"the combined change could not be reviewed again: {error.what}"
        return _all_out(laid, why)
    finally:
        forget()
    if call.desk.stop.cancelled:
        raise OutsideError("The second review was stopped")
    return _judged(review, patch, laid)


def _judged(review: Review, patch: Patch, laid: Mapping[str, Laid]) -> Proof:
    out: dict[int, FindingPatch] = {}
    left: list[LeftOut] = []

    def take_out(one: FindingPatch, reason: str) -> None:
        if id(one) not in out:
            out[id(one)] = one
            left.extend(LeftOut(known=known, reason=reason) for known in one.knowns)

    for path, reason in _unseen(review, patch).items():
        for one in laid[path].patches:
            take_out(one, f"the combined change of its file was not reviewed again: {reason}")
    for finding in review.findings:
        if finding.severity.rank < Severity.HIGH.rank or finding.path not in laid:
            continue
        for one in _meant(finding, patch, laid[finding.path]):
            take_out(one, f"the review of the combined change found in its lines: {finding.title} ({finding.severity})")
    return Proof(out=tuple(out.values()), left=tuple(left), usage=review.usage)


def _meant(finding: Finding, patch: Patch, laid: Laid) -> list[FindingPatch]:
    """The patches that a finding is about: on their lines, else beside them."""
    anchor = finding.anchor
    start, end = anchor.start_line, anchor.line
    if anchor.side is Side.LEFT:
        # A removed line is where the patch that removed it put its own.
        hunk = patch.hunk(anchor.hunk)
        start, end = hunk.new_start, hunk.new_start + max(0, hunk.new_count - 1)
    return struck(laid, start, end) or struck(laid, start, end, near=CONTEXT)


def _unseen(review: Review, patch: Patch) -> dict[str, str]:
    """Files that the review did not see whole, each with a reason."""
    out = {bad.path or "": bad.reason for bad in patch.bad}
    for skip in review.coverage.skipped:
        if skip.is_gap:
            out[skip.path] = skip.detail or skip.reason.value
    for hole in review.coverage.holes:
        out.setdefault(patch.file(hole.hunk.file).path, hole.reason)
    return out


def _all_out(laid: Mapping[str, Laid], why: str) -> Proof:
    patches = [patch for one in laid.values() for patch in one.patches]
    left = [LeftOut(known=known, reason=why) for patch in patches for known in patch.knowns]
    return Proof(out=tuple(patches), left=tuple(left), usage=Usage())


def _description(laid: Mapping[str, Laid]) -> str:
    """What each patch is to cure, so that a reviewer can tell a cure from a mistake."""
    told = [
        f"{path}: {known.note.title}" for path, one in laid.items() for patch in one.patches for known in patch.knowns
    ]
    return "Each of these was reported and is to be cured by this change:\n" + "\n".join(told)


def _stop(call: Call) -> tuple[Stop, Callable[[], None]]:
    """A review may shorten its deadline by the configuration; the command's own goes on."""
    desk = call.desk
    stop = Stop(deadline=desk.clock.now() + min(REVIEW_SECONDS, desk.stop.left()), clock=desk.clock)
    return stop, desk.stop.on_stop(stop.cancel)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
