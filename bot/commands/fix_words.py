"""Everything that people read as the answer to `/spark fix` and `/spark undo`, by functions named for the situation.

Words of others go through `answers.said` and `safe`. Code is shown literally, inside a fence that it cannot close.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.commands.answers import said
from bot.review.model import CommitSha, Usage
from bot.review.render.redact import Redactor
from bot.review.render.safe import code, fence, one_line, visible
from bot.review.render.words import count

SHOWN_DIFF = 30_000
"""Characters of a diff in an answer."""
LISTED = 100
"""Items of a list in an answer."""
MOVED = "the branch has moved"
"""As a commit that GitHub refused for it says (`NotCommitted.reason`)."""


def short(sha: CommitSha) -> str:
    """A commit as people name it."""
    return sha[:7]


def commit_link(sha: CommitSha, url: str) -> str:
    """A commit with its page."""
    return f"[`{short(sha)}`]({url})" if url else f"`{short(sha)}`"


def link_in(pull_url: str, sha: CommitSha) -> str:
    """One of the pull's commits with its page."""
    return commit_link(sha, f"{pull_url}/commits/{sha}")


def suggested(why: str, suggestion: str, *, crlf: bool, fallen: str, redactor: Redactor) -> str:
    """A suggestion for the lines of the thread. `fallen` is why it is no commit; empty when none was asked for."""
    note = "<sub>The file has CRLF line ends; GitHub commits this change with LF.</sub>" if crlf else ""
    return _joined(_not_committed(fallen, redactor), said(why, redactor), fence(suggestion, "suggestion"), note)


def suggested_elsewhere(why: str, url: str, *, fallen: str, redactor: Redactor) -> str:
    """The suggestion is in a thread of its own."""
    where = f"The change belongs to other lines than this comment, so I put it there as [a suggestion]({url})."
    return _joined(_not_committed(fallen, redactor), said(why, redactor), where)


def still_holds(fallen: str, *, may_commit: bool, redactor: Redactor) -> str:
    """The same suggestion stands in the thread already. `may_commit`: the asker may have it committed. `fallen`: why one that was asked for is not."""
    if fallen:
        return _joined(_not_committed(fallen, redactor), "The suggestion above can be committed instead.")
    return "The suggestion above still holds" + ("; `/spark fix --commit` makes it a commit." if may_commit else ".")


def suggestion_elsewhere(
    why: str, suggestion: str, *, title: str, asked_at: str, crlf: bool, redactor: Redactor
) -> str:
    """The new thread that `suggested_elsewhere` links. `asked_at`: URL of the thread where it was asked for, empty for the
    conversation; `title`: of its finding, empty for a person's thread.
    """
    name = _link_text(title, redactor) if title else "this thread"
    from_where = f"<sub>For [{name}]({asked_at})</sub>" if asked_at else ""
    note = "<sub>The file has CRLF line ends; GitHub commits this change with LF.</sub>" if crlf else ""
    return _joined(said(why, redactor) or "As asked.", fence(suggestion, "suggestion"), note, from_where)


def shown(why: str, diff: str, path: str, *, because: str, fallen: str, may_commit: bool, redactor: Redactor) -> str:
    """The change as a diff. `because`: why it is no suggestion."""
    told = f"{_not_suggested(because, redactor)}"
    if may_commit and not fallen:
        told += " `/spark fix --commit`, said in the same place, makes the commit."
    return _joined(
        _not_committed(fallen, redactor),
        said(why, redactor),
        told,
        f"{code(redactor.redact(path))}:",
        _diff(diff, redactor),
    )


def committed(why: str, link: str, path: str, redactor: Redactor) -> str:
    """It is on the branch."""
    return _joined(f"Committed {link}, which changes {code(redactor.redact(path))}.", said(why, redactor), _take_back())


def committed_before(link: str) -> str:
    """An earlier run of this command made the commit and was stopped before it could say so."""
    return _joined(f"Committed {link}.", _take_back())


def cannot(reason: str, redactor: Redactor) -> str:
    """Nothing was changed. `reason` follows `because`."""
    return f"I did not change anything, because {said(reason, redactor, 500)}"


def declined(reason: str, redactor: Redactor) -> str:
    """The model sees nothing to do."""
    return f"I did not change anything: {said(reason, redactor, 500)}"


def no_problem() -> str:
    """`/spark fix` as the first comment of a thread, and nothing behind it."""
    return (
        "I did not change anything, because nobody says in this thread what is wrong, and nothing behind the command says what to "
        "do. Say it there, for example: `/spark fix return an empty list when there are no rows`."
    )


def mended(link: str, *, meant: bool) -> str:
    """The lines of the finding went away in a commit of ours. `meant`: it was made for this finding."""
    told = (
        "There is nothing left to do: it was mended in"
        if meant
        else "I did not change anything: its lines were changed in"
    )
    return (
        f"{told} {link}. If something is still wrong here, say behind the command what is to be done, for example: "
        "`/spark fix close the file as well`."
    )


def mended_why(sha: CommitSha, *, meant: bool) -> str:
    """The same as a reason in a list. GitHub makes a link of the commit."""
    return f"{'it was mended' if meant else 'its lines were changed'} in {short(sha)}"


def how_to_name_a_file() -> str:
    """`/spark fix` in the conversation, without a file of the change."""
    return (
        "I did not change anything, because I do not know which file you mean. In a thread on the lines of the diff "
        "`/spark fix` is about what the thread says. Here it takes a file of this pull request and what is to be done "
        "in it: `/spark fix src/app.py make the retries configurable`. `/spark fix all` applies every open finding "
        "that has a patch."
    )


def no_task(path: str, redactor: Redactor) -> str:
    """A file and nothing else."""
    return (
        f"I did not change anything, because you did not say what is to be done in {code(redactor.redact(path))}. "
        "Say it behind the name: `/spark fix FILE what is to be done`."
    )


# -- fix all


def all_committed(
    link: str,
    *,
    applied: Mapping[str, Sequence[str]],
    notes: Sequence[str],
    left_out: Sequence[tuple[str, str]],
    without: Sequence[str],
    reviewed: str,
    measured: str,
    redactor: Redactor,
) -> str:
    """One commit. `applied`: by file, the links of its findings; `left_out`: a link and why; `without`: links."""
    number = sum(len(links) for links in applied.values())
    lines = [f"- {code(redactor.redact(path))}: {', '.join(links)}" for path, links in list(applied.items())[:LISTED]]
    if len(applied) > LISTED:
        lines.append(f"- … and {len(applied) - LISTED} more files")
    head = f"Committed {link}: {count(number, 'finding')} in {count(len(applied), 'file')}."
    return _joined(
        head,
        "\n".join(lines),
        "\n".join(f"- {said(note, redactor, 400)}" for note in notes[:LISTED]),
        _left_out("Not in it", left_out, redactor),
        _without(without),
        reviewed,
        _take_back(),
        f"<sub>{measured}</sub>" if measured else "",
    )


def all_refused(
    reason: str,
    *,
    standing: Sequence[str],
    left_out: Sequence[tuple[str, str]],
    without: Sequence[str],
    diffs: Sequence[tuple[str, str]],
    measured: str,
    redactor: Redactor,
) -> str:
    """No commit, and why (`reason` follows `because`); the suggestions stand in their threads (`standing`: links).

    `diffs`: paths and changes that stand in no thread.
    """
    told = [f"I did not commit anything, because {said(reason, redactor, 500)}"]
    if standing:
        links = "\n".join(f"- {link}" for link in standing[:LISTED])
        more = f"\n- … and {len(standing) - LISTED} more" if len(standing) > LISTED else ""
        told.append(f"The suggestions stand in their threads, where they can be committed one by one:\n\n{links}{more}")
    room = SHOWN_DIFF
    for path, diff in diffs:
        if len(diff) > room:
            told.append(f"The change of {code(redactor.redact(path))} is too long to show ({len(diff):,} characters).")
            continue
        room -= len(diff)
        told.append(f"{code(redactor.redact(path))}:\n\n{_diff(diff, redactor)}")
    told += [_left_out("Left out", left_out, redactor), _without(without), _again(reason, "/spark fix all")]
    return _joined(*told, f"<sub>{measured}</sub>" if measured else "")


def nothing_to_apply(left_out: Sequence[tuple[str, str]], without: Sequence[str], redactor: Redactor) -> str:
    """No finding could go into a commit."""
    if not left_out and not without:
        return "There is nothing to fix: no finding of mine is open on this pull request."
    return _joined(
        "I did not commit anything, because no open finding has a patch that can be applied.",
        _left_out("Left out", left_out, redactor),
        _without(without),
    )


def reviewed_again(findings: int) -> str:
    """What the review of the combined change said about what was committed."""
    if not findings:
        return "The combined change was reviewed again before the commit; nothing critical or high was found in it."
    return f"The combined change was reviewed again before the commit; {count(findings, 'patch', 'patches')} did not stand up to it."


def measures(seconds: float, usage: Usage) -> str:
    """The small print; empty where no call was made."""
    if not usage.calls:
        return ""
    usd = "" if usage.usd is None else f" · ${usage.usd:.4f}"
    calls = count(usage.calls, "call")
    return f"{seconds:.1f} s · {calls} · {count(usage.input_tokens + usage.output_tokens, 'token')}{usd}"


# -- undo


def undone(link: str, undoes: str, paths: Sequence[str], redactor: Redactor) -> str:
    """A commit was reverted."""
    return f"Committed {link}, which takes back {undoes} in {_paths(paths, redactor)}."


def undone_before(link: str) -> str:
    """An earlier run of this command made the commit and was stopped before it could say so."""
    return f"Committed {link}, which takes back my last commit."


def nothing_to_undo() -> str:
    """No commit of ours is left."""
    return "Nothing of mine is left to undo on this pull request."


def changed_since(undoes: str, paths: Sequence[str], redactor: Redactor) -> str:
    """Somebody changed the same lines after our commit."""
    return (
        f"I did not take back {undoes}, because its lines were changed after it in {_paths(paths, redactor)}. "
        "Nothing was changed; these files need a person."
    )


def not_undone(undoes: str, reason: str, redactor: Redactor) -> str:
    """GitHub did not take the commit. `reason` follows `because`."""
    return f"I did not take back {undoes}, because {said(reason, redactor, 500)} Nothing was changed. {_again(reason, '/spark undo')}".rstrip()


def _again(reason: str, typed: str) -> str:
    """What to do about a head that moved between our reading and our commit. Without `typed`: the same words."""
    if reason != MOVED:
        return ""
    return f"Say `{typed}` again." if typed else "Say it again, and I work on the branch as it is now."


def _take_back() -> str:
    return "`/spark undo` takes it back."


def _not_committed(fallen: str, redactor: Redactor) -> str:
    return (
        f"I did not commit this, because {said(fallen, redactor, 500)} {_again(fallen, '')}".rstrip() if fallen else ""
    )


def _not_suggested(because: str, redactor: Redactor) -> str:
    return f"This cannot be a suggestion, because {said(because, redactor, 400)}" if because else ""


def _left_out(title: str, items: Sequence[tuple[str, str]], redactor: Redactor) -> str:
    if not items:
        return ""
    lines = [f"- {link}: {said(why, redactor, 400)}" for link, why in items[:LISTED]]
    if len(items) > LISTED:
        lines.append(f"- … and {len(items) - LISTED} more")
    return "\n".join([f"**{title} ({len(items)})**", "", *lines])


def _without(links: Sequence[str]) -> str:
    if not links:
        return ""
    head = f"**Without a patch ({len(links)})**, so they need a person, or `/spark fix` in their thread:"
    more = f" and {len(links) - LISTED} more" if len(links) > LISTED else ""
    return f"{head} {', '.join(links[:LISTED])}{more}"


def finding_link(title: str, url: str, redactor: Redactor) -> str:
    """A finding by its title, with its thread."""
    text = _link_text(title, redactor)
    return f"{text} ([thread]({url}))" if url else text


def _link_text(title: str, redactor: Redactor) -> str:
    return one_line(redactor.redact(title), 80).replace("[", "(").replace("]", ")") or "a finding"


def _paths(paths: Sequence[str], redactor: Redactor) -> str:
    shown_paths = ", ".join(code(redactor.redact(path)) for path in paths[:20])
    return f"{shown_paths} and {len(paths) - 20} more" if len(paths) > 20 else shown_paths


def _diff(diff: str, redactor: Redactor) -> str:
    # Names of files and hunks' headings are no part of it: git's hunks alone.
    if len(diff) > SHOWN_DIFF:
        return f"(The change is too long to show: {len(diff):,} characters.)"
    return fence("\n".join(visible(line) for line in redactor.redact(diff).split("\n")), "diff")


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
