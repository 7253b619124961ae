"""Everything that people read as the answer to a simple command, by functions named for the situation.

Words of others (reasons, logins, GitHub's refusals, file names) go through `safe`, so that none of them mentions
anybody, links anywhere, gives a command or forges a mark, and through a `Redactor`, so that no secret is repeated.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands.model import NearMiss, Verb
from bot.commands.registry import COMMANDS, Usage, Where
from bot.errors import SparkError
from bot.review.config import CONFIG_PATH
from bot.review.memory import Dismissal, PastReview
from bot.review.model import Effort
from bot.review.render.redact import Redactor
from bot.review.render.safe import code, one_line

HELP_TAIL = "`/spark help` lists what I can do."


def said(text: str, redactor: Redactor, limit: int = 300) -> str:
    """Words of others on one line: redacted, shortened, harmless, with a full stop behind them."""
    line = one_line(redactor.redact(text), limit).rstrip()
    return line if not line or line[-1] in ".!?…" else f"{line}."


def who(login: str) -> str:
    """Somebody named without being mentioned."""
    return code(login) if login else "somebody"


# -- help and misunderstandings


def usages(usages: Sequence[Usage]) -> str:
    """A list of ways to write commands."""
    return "\n".join(
        f"- `{usage.text}`{f' ({usage.where})' if usage.where is not Where.ANYWHERE else ''} {usage.does}"
        for usage in usages
    )


def help_text() -> str:
    """All commands."""
    everything = [usage for spec in COMMANDS.values() for usage in spec.usages]
    return (
        "These are the commands. One stands at the beginning of the first line of a comment.\n\n"
        f"{usages(everything)}\n\n"
        "A reply in one of my threads is read too, and answered where it asks something. "
        "What pushes a commit, dismisses a finding or pauses reviews needs the right to write to the repository."
    )


def near_miss(miss: NearMiss) -> str:
    """The right word for a wrong one."""
    wrote = code(miss.wrote)
    if miss.meant is None:
        return f"I do not know the command {wrote}. {HELP_TAIL}"
    right = f"`/spark {miss.meant}`"
    if miss.wrote.startswith("/"):
        return f"Did you mean {right}? You wrote {wrote}. {HELP_TAIL}"
    if miss.wrote.startswith("all "):
        return (
            f"I did not do this, because I am not sure what you mean by {wrote}. `/spark fix all` alone applies every open finding "
            "that has a patch. What is to be done in the file of a thread is said with another word first, as in "
            "`/spark fix correct all the typos`."
        )
    if miss.wrote[:1] in "-–—":
        return f"{right} has no flag {wrote}. It can be written so:\n\n{usages(COMMANDS[miss.meant].usages)}"
    return f"I do not know the command {wrote}. Did you mean {right}? {HELP_TAIL}"


def not_permitted(verb: Verb, why: str, *, flag: str = "", may_ask: bool = False) -> str:
    """Refused; `why` follows `because`. `flag`: `all` or `--commit`. `may_ask`: without the flag they may give it."""
    typed = f"/spark {verb} {flag}".rstrip()
    told = f"I did not do this: `{typed}` is not for you here, because {why}."
    return f"{told} `/spark {verb}` in a thread gives you a suggestion." if flag and may_ask else told


def broken_config(error: SparkError, redactor: Redactor) -> str:
    """The base's `.github/spark.yml` has mistakes, so nobody can tell who may do what."""
    return (
        f"I did not do this, because `{CONFIG_PATH}` of the base branch has mistakes and it says who may give "
        f"commands:\n\n{mistakes(error, redactor)}\n\n`/spark config` shows what is in force."
    )


def mistakes(error: SparkError, redactor: Redactor) -> str:
    """Each mistake of a configuration as an item of a list; at most 20."""
    lines = error.what.split("\n")
    shown = [f"- {one_line(redactor.redact(line), 400)}" for line in lines[:20]]
    return "\n".join([*shown, f"- and {len(lines) - 20} more"] if len(lines) > 20 else shown)


def trouble(error: SparkError, redactor: Redactor) -> str:
    """Something stopped the command; nothing is half done."""
    what = said(error.what.replace("\n", "; "), redactor, 600)
    remedy = f" {said(error.remedy, redactor)}" if error.remedy else ""
    return f"That did not work: {what}{remedy}"


def only_in_thread(verb: Verb) -> str:
    """Said where there is no thread."""
    return f"`/spark {verb}` is about one thread. Say it as a reply in that thread, on the lines of the diff."


def closed(verb: Verb) -> str:
    """Said on a pull that is closed or merged."""
    return f"This pull request is closed, so `/spark {verb}` has nothing to do: it works on open ones."


# -- review, pause, resume


def review_ordered(last: PastReview | None, pull_url: str) -> str:
    """A full review comes. `last`: the one that saw the same head already."""
    if last is None:
        return "A full review has been ordered."
    return (
        f"Nothing was pushed since [my last review]({last.url}); I review all of it again. What is new is posted; if nothing "
        f"is, that review's text and [the checks]({pull_url}/checks) are brought up to date."
    )


def no_such_effort(word: str) -> str:
    """`/spark review quick`."""
    known = ", ".join(f"`{effort}`" for effort in Effort)
    return f"I know no effort {code(word[:60])}. `/spark review` takes one of {known}, or nothing."


def less_effort(effort: Effort, usual: Effort) -> str:
    """`/spark review instant` of somebody who may not write."""
    return (
        f"I did not do this: pull requests are reviewed here with effort `{usual}`, and less (`{effort}`) is for those who may "
        "write to this repository to ask for. `/spark review` reviews with the usual effort."
    )


def not_by_command() -> str:
    """`review.on` leaves `command` out."""
    return (
        f"In this repository no review is started by a command: `review.on` of `{CONFIG_PATH}` on the base branch has "
        "no `command`. The check's button still starts one."
    )


def paused(*, stopped: bool = True) -> str:
    """Reviews of the pull were paused just now. `stopped`: what was running ended with it."""
    goes_on = "`/spark resume` goes on, and `/spark review` reviews once."
    if stopped:
        return (
            f"Paused: I do not review new pushes of this pull request, and what was running has been stopped. {goes_on}"
        )
    return (
        "Paused: I do not review new pushes of this pull request. A review that is running now goes on to its end, unless you "
        f"cancel its run on the Actions tab. {goes_on}"
    )


def paused_already(by: str) -> str:
    """And nothing was changed."""
    return f"Reviews of this pull request are paused already, by {who(by)}. `/spark resume` goes on."


def resumed(by: str) -> str:
    """`by` had paused them."""
    return f"Resumed: what came meanwhile is reviewed now, and each push after it (paused by {who(by)})."


def resumed_unchanged(by: str, url: str) -> str:
    """The head is the one that was reviewed last; `url`: of that review."""
    return f"Resumed: no push came since [my last review]({url}), and each one from now on is reviewed (paused by {who(by)})."


def resumed_by_command(by: str) -> str:
    """`review.on` leaves `synchronize` out."""
    return (
        f"Resumed (paused by {who(by)}). Pushes are not reviewed by themselves here: `review.on` of `{CONFIG_PATH}` on the base "
        "branch has no `synchronize`. `/spark review` reviews once."
    )


def resumed_draft(by: str) -> str:
    """Drafts are not reviewed by themselves."""
    return (
        f"Resumed (paused by {who(by)}). Drafts are not reviewed by themselves here: what came meanwhile is reviewed when this "
        "is ready for review. `/spark review` reviews it now."
    )


def resumed_closed(by: str) -> str:
    """The pull is closed or merged."""
    return (
        f"Resumed (paused by {who(by)}). This pull request is closed, so nothing is reviewed until it is opened again."
    )


def check_anew() -> str:
    """Resumed, and the verdict is ordered."""
    return "The check is decided anew, without what was dismissed."


def not_paused() -> str:
    """`resume` where nothing was paused."""
    return "Reviews of this pull request are not paused, so there was nothing to resume."


# -- ignore, resolve


def not_our_finding(verb: Verb) -> str:
    """`ignore` in a thread that is not about a finding of ours."""
    return f"This thread is not about a finding of mine, so there is nothing to dismiss. `/spark {verb}` belongs into one of my threads."


def check_waits() -> str:
    """Dismissed while reviews are paused, and the gate goes by it."""
    return "Reviews of this pull request are paused: the check follows when they are resumed (`/spark resume`)."


def ignored(reason: str, *, refused: str, redactor: Redactor) -> str:
    """Dismissed. `refused` is why GitHub did not resolve the thread; empty when it did."""
    because = f" Reason: {said(reason, redactor, 500)}" if reason else ""
    text = (
        f"Dismissed.{because} I will not bring this up again, neither in this pull request nor in another one of this "
        "repository, and the gate leaves it out."
    )
    if not reason:
        text += " With a reason (`/spark ignore REASON`) others would know why."
    if refused:
        return f"{text}\n\n{_not_resolved(refused, redactor)} The dismissal holds all the same."
    return f"{text} To have it counted here again, unresolve this thread."


def ignored_already(dismissal: Dismissal, redactor: Redactor) -> str:
    """And nothing was changed."""
    because = f" Reason: {said(dismissal.reason, redactor, 500)}" if dismissal.reason else ""
    return f"This was dismissed already by {who(dismissal.by)} ({dismissal.how}).{because}"


def resolved(*, excused: bool) -> str:
    """By us, because somebody asked for it. `excused`: the gate leaves it out, for they may write."""
    text = "Resolved, as you asked. Should its code change and the same thing be there again, I open this thread again."
    return text if excused else f"{text} {still_counted()}"


def still_counted() -> str:
    """Let go by somebody who may not write."""
    return (
        "It is still counted: only somebody who may write to this repository can have the gate leave it out, with "
        "`/spark ignore REASON`."
    )


def resolved_theirs() -> str:
    """A thread that is not about a finding of ours."""
    return "Resolved, as you asked."


def resolved_already(by: str, *, by_us: bool) -> str:
    """And nothing was changed."""
    if by_us:
        return "I resolved this thread already."
    return f"This thread was resolved already by {who(by)}." if by else "This thread was resolved already."


def not_yours_to_resolve(why: str) -> str:
    """A person's thread; `why` follows `because`."""
    return f"I did not resolve this thread: a person began it, and for that {why}."


def not_resolved(refused: str, redactor: Redactor) -> str:
    """GitHub does not let us, and nothing else was to be done."""
    return f"{_not_resolved(refused, redactor)} You can press “Resolve conversation” yourself."


def _not_resolved(refused: str, redactor: Redactor) -> str:
    return (
        f"GitHub did not let me resolve this thread: {said(refused, redactor)} "
        "Resolving takes the permission `contents: write`."
    )
