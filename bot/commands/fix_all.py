"""`/spark fix all`: every open finding with a patch, proven together, as one commit.

Nothing is committed that was not applied, parsed and reviewed in the company it comes in; what is left out is named with
its reason. It commits on the head that it read, or not at all: a branch that moved, or one that we may not write to,
leaves the suggestions where they stand, in their threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from bot import log
from bot.commands import editor, fix_words
from bot.commands.call import Call
from bot.commands.commits import committed_mark, earlier, message, new_secret
from bot.commands.edits import Edited, hull, source_lines, tagged
from bot.commands.fix_gather import Gathered, gather
from bot.commands.fix_plan import (
    FindingPatch,
    Laid,
    LeftOut,
    choose,
    clusters,
    lay_what_parses,
)
from bot.commands.fix_proof import Diffs, review_again
from bot.commands.fix_target import head_of
from bot.commands.mended import Mends
from bot.commands.model import Outcome, Reaction
from bot.commands.ports import CommitDraft, Committed
from bot.commands.prompt_fix import Problem
from bot.review.memory import KnownFinding
from bot.review.model import Usage
from bot.review.ports import Opened
from bot.review.render.redact import Redactor
from bot.review.render.words import count
from bot.review.whereabouts import report_text

FETCHES = 16
"""Look-ups at once beside the model's calls."""
MOST_NAMED = 30
"""Findings named in a commit's message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Merged:
    """What became of one group of patches that touch each other."""

    kept: tuple[FindingPatch, ...]
    left: tuple[LeftOut, ...]
    usage: Usage


def fix_all(call: Call) -> Outcome:
    """Apply what can be applied. The caller has seen to it that the pull is open."""
    began = call.desk.clock.now()
    with ThreadPoolExecutor(max_workers=max(FETCHES, min(call.desk.streams, 64)), thread_name_prefix="fix") as pool:
        commits = pool.submit(call.desk.branch.commits)
        blocked = pool.submit(call.desk.branch.blocked)
        opened = call.desk.opened()
        redactor = Redactor(opened.change.patch)
        found = gather(call, opened, redactor)
        made = earlier(commits.result(), call.ref)
        if made is not None:
            link = fix_words.link_in(call.desk.pull.url, made.sha)
            why = f"committed {fix_words.short(made.sha)} before"
            url = call.answer(fix_words.committed_before(link))
            return Outcome(what="committed", why=why, url=url, commit=made.sha)
        return _All(call, opened, pool, redactor, began).done(found, blocked)


class _All:
    """One `fix all` under way."""

    def __init__(self, call: Call, opened: Opened, pool: ThreadPoolExecutor, redactor: Redactor, began: float) -> None:
        self._call = call
        self._opened = opened
        self._pool = pool
        self._began = began
        self._redactor = redactor
        self._diffs = Diffs(call, pool)
        self._usage = Usage()
        self._at: dict[str, float] = {}

    def done(self, found: Gathered, blocked: Future[str]) -> Outcome:
        """Bring together, lay, review again, commit, tell."""
        if not found.patches:
            body = fix_words.nothing_to_apply(self._told(found.left), self._links(found.without), self._redactor)
            return self._ended(body, "no patch to apply")
        if reason := blocked.result():
            return self._refused(reason, found, found.patches, ())
        self._mark("read")
        if self._call.desk.model is None:
            return self._refused("there is no model to review the combined change again", found, found.patches, ())
        patches, left = self._bring_together(found)
        self._mark("model")
        laid, unparsed = self._lay(found.texts, patches)
        proof = review_again(self._call, self._opened, found.texts, laid, self._diffs)
        self._usage += proof.usage
        if proof.out:
            gone = {id(patch) for patch in proof.out}
            stay = [patch for one in laid.values() for patch in one.patches if id(patch) not in gone]
            laid, more = self._lay(found.texts, stay)
            unparsed = [*unparsed, *more]
        self._mark("review")
        left = [*found.left, *left, *unparsed, *proof.left]
        if not laid:
            told = "no patch was left after they were brought together and reviewed again"
            return self._refused(told, found, (), left)
        return self._commit(found, laid, left, struck=len(proof.left))

    # -- patches that touch each other -----------------------------------------------------------------------------------

    def _bring_together(self, found: Gathered) -> tuple[list[FindingPatch], list[LeftOut]]:
        groups = clusters(found.patches)
        alone = [group[0] for group in groups if len(group) == 1]
        asked = [
            self._pool.submit(self._merge, group, found.texts[group[0].path], found.patches)
            for group in groups
            if len(group) > 1
        ]
        # What stands alone is compared while the model thinks about the others.
        early, _ = self._lay(found.texts, alone)
        for path, one in early.items():
            self._diffs.begin(found.texts[path], one.text)
        answers = [one.result() for one in asked]
        patches = list(alone)
        left: list[LeftOut] = []
        for merged in answers:
            self._usage += merged.usage
            left += merged.left
            patches += merged.kept
        kept: list[FindingPatch] = []
        for group in clusters(patches):
            # Two groups of one file were brought together side by side and may meet now.
            chosen, out = choose(group, "each was brought together with others")
            kept += chosen
            left += out
        return kept, left

    def _merge(self, group: Sequence[FindingPatch], text: str, others: Sequence[FindingPatch]) -> _Merged:
        """One call for all of a group; where that does not hold, the more severe."""
        model = self._call.desk.model
        assert model is not None
        rest = [patch for patch in others if patch not in group]
        places = [place for patch in group for place in patch.places]
        first, last = min(place.start_line for place in places), max(place.line for place in places)
        path = group[0].path

        def accept(edited: Edited) -> str:
            start, end = hull(edited.spans)
            if start < first - 1 or end > last:
                return f"it changes lines outside {first} to {last}"
            if new_secret(self._redactor, text, [line for span in edited.spans for line in span.lines]):
                return "it would write a secret into the file"
            made = FindingPatch(path=path, knowns=group[0].knowns, spans=edited.spans, places=())
            return "it changes lines that another patch changes" if any(map(made.touches, rest)) else ""

        asked = editor.ask(
            model,
            editor.Task(
                path=path,
                text=text,
                place=tagged(source_lines(text), range(first, last + 1)),
                near=(first, last),
                problems=tuple(_problem(known) for patch in group for known in patch.knowns),
            ),
            effort=self._call.desk.effort or self._call.config.review.effort,
            stop=self._call.desk.stop,
            accept=accept,
        )
        if isinstance(asked.result, Edited):
            whole = FindingPatch(
                path=path,
                knowns=tuple(known for patch in group for known in patch.knowns),
                spans=asked.result.spans,
                places=tuple(places),
                merged=True,
            )
            return _Merged(kept=(whole,), left=(), usage=asked.usage)
        kept, left = choose(group, asked.result.reason)
        return _Merged(kept=tuple(kept), left=tuple(left), usage=asked.usage)

    def _lay(self, texts: Mapping[str, str], patches: Iterable[FindingPatch]) -> tuple[dict[str, Laid], list[LeftOut]]:
        """Each file with its patches, in the order of the names."""
        by_path: dict[str, list[FindingPatch]] = {}
        for patch in patches:
            by_path.setdefault(patch.path, []).append(patch)
        laid: dict[str, Laid] = {}
        left: list[LeftOut] = []
        for path in sorted(by_path):
            one, out = lay_what_parses(texts[path], path, by_path[path])
            left += out
            if one.patches:
                laid[path] = one
        return laid, left

    # -- the commit, and what people read ----------------------------------------------------------------------------------

    def _commit(self, found: Gathered, laid: Mapping[str, Laid], left: Sequence[LeftOut], *, struck: int) -> Outcome:
        call = self._call
        applied = {path: [known for patch in one.patches for known in patch.knowns] for path, one in laid.items()}
        titles = [
            f"- {path}: {self._redactor.redact(known.note.title)}"
            for path, knowns in applied.items()
            for known in knowns
        ]
        more = [f"- and {len(titles) - MOST_NAMED} more"] if len(titles) > MOST_NAMED else []
        number = len(titles)
        headline, body = message(
            f"Apply {count(number, 'suggested fix', 'suggested fixes')}",
            [*titles[:MOST_NAMED], *more],
            call.ref,
        )
        result = call.desk.branch.commit(
            CommitDraft(
                expected_head=head_of(self._opened),
                headline=headline,
                body=body,
                files={path: one.text.encode("utf-8", "surrogateescape") for path, one in laid.items()},
            )
        )
        self._mark("commit")
        patches = [patch for one in laid.values() for patch in one.patches]
        if not isinstance(result, Committed):
            if result.moved_to is not None:
                patches, gone = self._not_mended(patches)
                left = [*left, *gone]
            return self._refused(result.reason, found, patches, left)
        link = fix_words.commit_link(result.sha, result.url)
        answer = fix_words.all_committed(
            link,
            applied={path: self._links(knowns) for path, knowns in applied.items()},
            notes=_notes(patches),
            left_out=self._told(left),
            without=self._links(found.without),
            reviewed=fix_words.reviewed_again(struck),
            measured=self._measured(),
            redactor=self._redactor,
        )
        thread = call.known.thread.id if call.known is not None and call.thread is not None else None
        is_in = any(known.thread.id == thread for knowns in applied.values() for known in knowns)
        url = call.answer(f"{answer}{committed_mark(result.sha) if is_in else ''}")
        call.react(Reaction.DONE)
        self._mark("answer")
        log.info("fix_all.done", findings=number, files=len(laid), left_out=len(left), **self._at, **call.fields)
        why = f"committed {fix_words.short(result.sha)}: {count(number, 'finding')}"
        return Outcome(what="committed", why=why, url=url, commit=result.sha, usd=self._usage.usd)

    def _not_mended(self, patches: Sequence[FindingPatch]) -> tuple[list[FindingPatch], list[LeftOut]]:
        """The patches that are still wanted, and what another command's commit has taken meanwhile."""
        mends = Mends(call=self._call)
        stay: list[FindingPatch] = []
        gone: list[LeftOut] = []
        for patch in patches:
            found = [(known, mends.of(known)) for known in patch.knowns]
            told = [(known, one) for known, one in found if one is not None]
            if len(told) < len(found):
                stay.append(patch)
                continue
            gone += [
                LeftOut(known=known, reason=fix_words.mended_why(one.commit.sha, meant=one.meant))
                for known, one in told
            ]
        return stay, gone

    def _refused(
        self, reason: str, found: Gathered, patches: Sequence[FindingPatch], left: Sequence[LeftOut]
    ) -> Outcome:
        """No commit: the suggestions stand in their threads; what stands in none is shown."""
        standing = [known for patch in patches if not patch.merged for known in patch.knowns]
        diffs = []
        for patch in (patch for patch in patches if patch.merged):
            alone, _ = lay_what_parses(found.texts[patch.path], patch.path, [patch])
            diffs.append((patch.path, self._diffs.begin(found.texts[patch.path], alone.text).result()))
        body = fix_words.all_refused(
            reason,
            standing=self._links(standing),
            left_out=self._told(left or found.left),
            without=self._links(found.without),
            diffs=diffs,
            measured=self._measured(),
            redactor=self._redactor,
        )
        return self._ended(body, reason)

    def _ended(self, body: str, why: str) -> Outcome:
        url = self._call.answer(body)
        self._call.react(Reaction.NO)
        return Outcome(what="refused", why=why, url=url, usd=self._usage.usd)

    def _links(self, knowns: Iterable[KnownFinding]) -> list[str]:
        return [fix_words.finding_link(known.note.title, known.thread.url, self._redactor) for known in knowns]

    def _told(self, left: Iterable[LeftOut]) -> list[tuple[str, str]]:
        return [(self._links([one.known])[0], one.reason) for one in left]

    def _mark(self, part: str) -> None:
        """Seconds from the beginning to the end of a part, for the log."""
        self._at[part] = round(self._call.desk.clock.now() - self._began, 3)

    def _measured(self) -> str:
        return fix_words.measures(self._call.desk.clock.now() - self._began, self._usage)


def _problem(known: KnownFinding) -> Problem:
    note = known.note
    text = report_text(known.thread.comments[0].body)
    return Problem(label=f"{note.severity} {note.category}", title=note.title, body=text, patch=note.suggestion or "")


def _notes(patches: Sequence[FindingPatch]) -> list[str]:
    """What people should know of how patches came together."""
    out = []
    for patch in patches:
        if len(patch.knowns) > 1:
            titles = " and ".join(f"“{known.note.title}”" for known in patch.knowns)
            how = "touched each other and were brought together" if patch.merged else "had the same patch"
            out.append(f"In {patch.path}, {titles} {how}")
    return out
