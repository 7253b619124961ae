"""The commands that need no model: help, config, review, pause, resume, ignore, resolve.

What is changed comes first, the answer last, and everything before it may be done twice: so a command that was killed on
its way is carried out again from the beginning and says nothing twice.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from bot import log
from bot.commands import answers, config_view
from bot.commands.call import Call, at_gate, judge, judged_anew, verdict_waits
from bot.commands.model import CommentKind, Outcome, Reaction, Verb
from bot.errors import ConfigError, SparkError
from bot.review.config import Trigger
from bot.review.memory import Dismissal, FindingNote, PastReview, Remembered, Thread
from bot.review.model import Effort
from bot.review.render.markers import dismissal_marker, state_marker


def help_(call: Call) -> Outcome:
    """The list of commands."""
    return Outcome(what="answered", why="the list of commands", url=call.answer(answers.help_text()))


def config(call: Call) -> Outcome:
    """Every key in force, and where it came from. A broken file is shown with its mistakes."""
    text = call.desk.config_text()
    try:
        body = config_view.view(text, settings=call.desk.settings, effort=call.desk.effort, redactor=call.shapes)
    except ConfigError as error:
        body = config_view.broken(error, settings=call.desk.settings, redactor=call.shapes)
        return Outcome(what="answered", why="the configuration has mistakes", url=call.answer(body))
    return Outcome(what="answered", why="the configuration in force", url=call.answer(body))


def review(call: Call) -> Outcome:
    """Order a full review. The review itself is the answer, so there is a reaction and no comment; but where nothing was pushed
    since the last one, a review without anything new shows nowhere but in that one's text, so there is a link to it.
    """
    if not call.desk.pull.is_open:
        return _refused(call, answers.closed(Verb.REVIEW), "the pull request is closed")
    if Trigger.COMMAND not in call.config.review.on:
        return _refused(call, answers.not_by_command(), "`review.on` has no `command`")
    word = call.rest.split("\n")[0].split(" ")[0].strip(".,!").lower()
    if word and word not in {effort.value for effort in Effort}:
        return _refused(call, answers.no_such_effort(word), "no such effort")
    usual = call.desk.effort or call.config.review.effort
    if word and Effort(word).rank < usual.rank and not call.may_write:
        # The gate would go by it: an author could have their own pull looked at less closely than the repository wants.
        return _refused(call, answers.less_effort(Effort(word), usual), "less effort than usual")
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="review") as pool:
        # Read while it is ordered: what that very review posts is not its own last one.
        reading = pool.submit(_reviewed, call)
        call.desk.reviews.start(Effort(word) if word else None)
        last = reading.result()
    why = f"a full review was ordered{f' ({word})' if word else ''}"
    shown = call.react(Reaction.DONE)
    url = "" if shown and last is None else call.answer(answers.review_ordered(last, call.desk.pull.url))
    return Outcome(what="answered", why=why, url=url)


def _reviewed(call: Call) -> PastReview | None:
    """Our last review, if it saw the very head of now."""
    try:
        last = call.desk.talk.recall().last
    except SparkError as error:
        log.warning("command.no_recall", why=error.what, **call.fields)
        return None
    return last if last is not None and last.head == call.desk.pull.head_sha else None


def pause(call: Call) -> Outcome:
    """No reviews of this pull until somebody resumes them. Stops what runs."""
    if not call.desk.pull.is_open:
        return _refused(call, answers.closed(Verb.PAUSE), "the pull request is closed")
    if given := _given(call):
        return Outcome(what="answered", why="answered before", url=given)
    if call.recall.paused_by:
        return _answered(call, answers.paused_already(call.recall.paused_by), "paused already")
    stopped = call.desk.reviews.stop(f"paused by {call.sender}")
    return _state(call, answers.paused(stopped=stopped), paused_by=call.sender, why="paused")


def resume(call: Call) -> Outcome:
    """Reviews go on: with what came meanwhile, and with each push."""
    if given := _given(call):
        # A run that was killed behind its answer has not ordered it yet; what is under way is not ordered twice.
        _caught_up(call)
        return Outcome(what="answered", why="answered before", url=given)
    by = call.recall.paused_by
    if not by:
        return _answered(call, answers.not_paused(), "not paused")
    outcome = _state(call, _resumed(call, by), paused_by="", why="resumed")
    # After the answer: the review reads from it that nothing is paused any more.
    _caught_up(call)
    return outcome


def _resumed(call: Call, by: str) -> str:
    """What comes of it: by the base's rules and by what was pushed meanwhile."""
    pull, last, rules = call.desk.pull, call.recall.last, call.config.review
    if not pull.is_open:
        return answers.resumed_closed(by)
    if Trigger.SYNCHRONIZE not in rules.on:
        text = answers.resumed_by_command(by)
    elif pull.draft and not rules.drafts:
        text = answers.resumed_draft(by)
    elif last is not None and last.head == pull.head_sha:
        text = answers.resumed_unchanged(by, last.url)
    else:
        text = answers.resumed(by)
    return f"{text} {answers.check_anew()}" if _has_let_go(call) else text


def _has_let_go(call: Call) -> bool:
    """Whether somebody dismissed what the gate goes by, maybe during the pause, when the verdict was not decided anew."""
    gone = (one for one in call.recall.findings if one.closed or (one.dismissal is not None and one.dismissal.excuses))
    return call.desk.pull.is_open and any(at_gate(call, one) for one in gone)


def _caught_up(call: Call) -> None:
    """What came during the pause; and the verdict, where somebody dismissed meanwhile what the gate goes by."""
    call.desk.reviews.catch_up()
    if _has_let_go(call):
        judge(call)


def _and_the_check(call: Call, text: str) -> str:
    return f"{text}\n\n{answers.check_waits()}" if verdict_waits(call) else text


def ignore(call: Call) -> Outcome:
    """Dismiss the finding of the thread, for this pull and for the repository."""
    if call.thread is None:
        return _refused(call, answers.only_in_thread(Verb.IGNORE), "not in a thread")
    if call.known is None:
        return _refused(call, answers.not_our_finding(Verb.IGNORE), "no finding of ours")
    standing = call.known.dismissal
    # A thread resolved by hand may have been resolved by somebody who can't excuse, and has no reason: this one counts more.
    reason = call.shapes.redact(call.rest.strip())[:500]
    if standing is not None and standing.how in {"ignored", "talked over"} and (standing.reason or not reason):
        return _answered(call, answers.ignored_already(standing, call.shapes), "dismissed already")
    refused = _resolved_by_us(call, call.thread)
    dismissal = Dismissal(by=call.sender, reason=reason, how="ignored", excuses=call.may_write, held_open=bool(refused))
    call.desk.memory.remember(_remembered(call.known.note, dismissal, call.thread))
    text = _and_the_check(call, answers.ignored(reason, refused=refused, redactor=call.shapes))
    url = call.answer(f"{text}\n\n{dismissal_marker(dismissal)}")
    judged_anew(call)
    return Outcome(what="ignored", why="dismissed, with a reason" if reason else "dismissed", url=url)


def _resolved_by_us(call: Call, thread: Thread) -> str:
    """See to it that we are the one who resolved a thread; empty, or why GitHub refused.

    What somebody else resolved by hand is opened and resolved anew: who did it last says whether a dismissal still excuses.
    """
    if thread.is_resolved and thread.resolved_by_us:
        return ""
    refused = call.desk.talk.unresolve(thread) if thread.is_resolved else ""
    return refused or call.desk.talk.resolve(thread)


def resolve(call: Call) -> Outcome:
    """Resolve the thread: a finding of ours as done with, a person's thread for somebody who may write."""
    thread = call.thread
    if thread is None:
        return _refused(call, answers.only_in_thread(Verb.RESOLVE), "not in a thread")
    if not thread.is_ours and not call.may_write:
        why = "it takes the right to write to this repository"
        return _refused(call, answers.not_yours_to_resolve(why), "a person's thread")
    if thread.is_resolved and not _left_unsaid(call, thread):
        return _answered(
            call, answers.resolved_already(thread.resolved_by, by_us=thread.resolved_by_us), "resolved already"
        )
    refused = "" if thread.is_resolved else call.desk.talk.resolve(thread)
    if refused:
        return _refused(call, answers.not_resolved(refused, call.shapes), "GitHub refused")
    if call.known is None:
        return _answered(call, answers.resolved_theirs(), "resolved")
    text = _and_the_check(call, answers.resolved(excused=call.may_write))
    outcome = _answered(call, f"{text}\n\n{state_marker({'closed_by': call.sender})}", "resolved")
    judged_anew(call)
    return outcome


def _left_unsaid(call: Call, thread: Thread) -> bool:
    """Whether we resolved a finding's thread and were stopped before we could say so."""
    known = call.known
    return thread.resolved_by_us and known is not None and not known.closed and known.dismissal is None


def _remembered(note: FindingNote, dismissal: Dismissal, thread: Thread) -> Remembered:
    return Remembered(
        fingerprint=note.fingerprint,
        path=note.path,
        category=note.category,
        source=note.source,
        rule=note.rule,
        title=note.title,
        lines=note.lines,
        severity=note.severity,
        by=dismissal.by,
        reason=dismissal.reason,
        url=thread.url,
    )


def _state(call: Call, text: str, *, paused_by: str, why: str) -> Outcome:
    """Say it in the conversation, wherever it was asked: only there the mark counts for the whole pull."""
    in_thread = call.ref.kind is CommentKind.THREAD
    ref = replace(call.ref, kind=CommentKind.CONVERSATION, root=None) if in_thread else call.ref
    url = call.answer(f"{text}\n\n{state_marker({'paused_by': paused_by})}", ref=ref)
    call.react(Reaction.DONE)
    return Outcome(what="answered", why=why, url=url)


def _given(call: Call) -> str | None:
    """The answer that an earlier run of this command left in the conversation, when it was asked in a thread."""
    if call.ref.kind is not CommentKind.THREAD:
        return None
    return call.desk.talk.answered(replace(call.ref, kind=CommentKind.CONVERSATION, root=None))


def _answered(call: Call, body: str, why: str) -> Outcome:
    return Outcome(what="answered", why=why, url=call.answer(body))


def _refused(call: Call, body: str, why: str) -> Outcome:
    url = call.answer(body)
    call.react(Reaction.NO)
    return Outcome(what="refused", why=why, url=url)
