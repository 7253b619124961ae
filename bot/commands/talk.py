"""`/spark explain`, `/spark ask`, and replies in our threads.

Words come from the model, deeds from here: whatever a comment, the code or an answer says, nothing more can come of a
reply than words, a reaction, or a finding taken back. And that only for a finding of ours that still stands; a grave one
only for somebody who could also dismiss it with a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from bot.commands import answers
from bot.commands.call import Call, judged_anew, verdict_waits
from bot.commands.model import Outcome, Reaction, Verb
from bot.commands.prompt_talk import ReplyAnswer, Shown, answer_prompt, read_reply, reply_prompt
from bot.commands.registry import COMMANDS
from bot.commands.talk_context import in_conversation, in_thread
from bot.errors import OutsideError
from bot.review.memory import Dismissal, KnownFinding, Thread
from bot.review.model import Effort, Severity, Usage
from bot.review.ports import CallReport, Model, Opened, Prompt, StreamEnd
from bot.review.render.markers import dismissal_marker
from bot.review.render.redact import Redactor
from bot.review.render.safe import one_line, prose
from bot.review.render.words import money, seconds
from bot.review.streams import TRIES, second_try

ANSWER_CAP: Final = 4_000
"""Characters of an answer in Markdown; a longer one ends with `…`."""
REASON_CAP: Final = 500
GRAVE: Final = frozenset({Severity.CRITICAL, Severity.HIGH})
"""Findings that nobody can talk away who could not dismiss them."""


def explain(call: Call) -> Outcome:
    """What the thread's finding means, or what its lines do; in the conversation, what the change does."""
    return _answered(call, lambda shown: _explaining(call, shown), question=call.rest)


def ask(call: Call) -> Outcome:
    """A question about the thread, or about the pull."""
    if not call.rest.strip():
        url = call.answer(no_question())
        call.react(Reaction.NO)
        return Outcome(what="refused", why="no question", url=url)
    where = "this pull request" if call.thread is None else "this thread and the code it is about"
    return _answered(call, lambda _: f"Answer the data named `question`, which is about {where}.", question=call.rest)


def reply(call: Call) -> Outcome:
    """A reply without a command: heard, and answered where it asks something. Only in threads of ours."""
    thread = call.thread
    if thread is None or not thread.is_ours or not call.text.strip():
        return Outcome(what="nothing", why="not a reply in a thread of ours")
    model = call.desk.model
    if model is None:
        # Nothing could tell a question from thanks; a mark says enough, and thanks need no notice of what is missing.
        if "?" not in call.text:
            return Outcome(what="nothing", why="no model is set")
        return Outcome(what="refused", why="no model is set", url=call.answer(no_model()))
    talk = _Asking(call, model)
    opened = call.desk.opened()
    redactor = Redactor(opened.change.patch)
    prompt = reply_prompt(in_thread(call, thread, opened), reply=call.text, effort=_effort(call))
    answer: ReplyAnswer | None = None
    for text in talk.answers(prompt):
        answer = read_reply(text)
        if answer is not None:
            break
    if answer is None:
        return talk.failed(redactor)
    if not answer.asks:
        call.react(Reaction.YES)
        return Outcome(what="nothing", why="heard: the reply asks for nothing", usd=talk.usd)
    return _said(call, thread, answer, talk, redactor)


def _explaining(call: Call, shown: Shown) -> str:
    """Our own sentence about what is to be explained."""
    thread = call.thread
    if thread is None:
        task = (
            "Explain in a few sentences what this pull request changes, what for, and where a reader should look first."
        )
    elif call.known is not None:
        task = (
            "Explain the data named `report`: what goes wrong, with which input or in which order of events, why the code "
            "does not prevent it, and what would cure it."
        )
        if shown.was:
            task += " It was written about the code in the data named `was`: say as well what has become of that."
    else:
        code = "did" if shown.was else "does"
        named = "was" if shown.was else "lines" if shown.lines else "file"
        task = f"Explain what the code in the data named `{named}` {code}, and what it means for what is said in this thread."
    return f"{task} Above all, answer the data named `question`." if call.rest.strip() else task


def _answered(call: Call, task: Callable[[Shown], str], *, question: str) -> Outcome:
    model = call.desk.model
    if model is None:
        url = call.answer(no_model())
        call.react(Reaction.NO)
        return Outcome(what="refused", why="no model is set", url=url)
    talk = _Asking(call, model)
    opened = call.desk.opened()
    redactor = Redactor(opened.change.patch)
    shown = _shown(call, opened)
    prompt = answer_prompt(shown, task=task(shown), question=question, effort=_effort(call))
    said = ""
    for text in talk.answers(prompt, cut_is_enough=True):
        said = harmless(text, redactor)
        if said:
            break
    if not said:
        return talk.failed(redactor)
    ends = "" if talk.reports[-1].end is StreamEnd.WHOLE else "\n\n<sub>The answer reached its length limit here.</sub>"
    url = call.answer(f"{said}{ends}\n\n{talk.measured()}")
    return Outcome(what="answered", why="a question" if question else "explained", url=url, usd=talk.usd)


def _shown(call: Call, opened: Opened) -> Shown:
    return in_conversation(call, opened) if call.thread is None else in_thread(call, call.thread, opened)


def _effort(call: Call) -> Effort:
    return call.desk.effort or call.config.review.effort


def _said(call: Call, thread: Thread, answer: ReplyAnswer, talk: _Asking, redactor: Redactor) -> Outcome:
    """The answer to a reply, and what follows from a report that was taken back."""
    words = harmless(answer.answer, redactor)
    known = call.known
    takes_back = answer.concede and known is not None and _stands(known)
    if not takes_back:
        url = call.answer(f"{words}\n\n{talk.measured()}")
        return Outcome(what="answered", why="a reply", url=url, usd=talk.usd)
    assert known is not None
    if known.note.severity in GRAVE and not call.may_write:
        url = call.answer(f"{words}\n\n{left_open(known.note.severity)}\n\n{talk.measured()}")
        return Outcome(what="answered", why="conceded, left open for who may write", url=url, usd=talk.usd)
    refused = "" if thread.is_resolved else call.desk.talk.resolve(thread)
    dismissal = Dismissal(
        by=call.sender,
        reason=redactor.redact(call.text)[:REASON_CAP],
        how="talked over",
        excuses=call.may_write,
        held_open=bool(refused),
    )
    told = taken_back(excused=call.may_write, refused=refused, redactor=redactor)
    if verdict_waits(call):
        told += f"\n\n{answers.check_waits()}"
    url = call.answer(f"{words}\n\n{told}\n\n{talk.measured()}\n\n{dismissal_marker(dismissal)}")
    judged_anew(call)
    return Outcome(what="ignored", why="conceded: the report was wrong", url=url, usd=talk.usd)


def _stands(known: KnownFinding) -> bool:
    """Whether there is anything to take back. A thread that somebody resolved is not dismissed anew; one that we resolved
    without a word (the run was killed before its answer) is.
    """
    over = known.thread.is_resolved and not known.thread.resolved_by_us
    return known.dismissal is None and not known.closed and not over


@dataclass(slots=True)
class _Asking:
    """One question to the model with its second try, and what it took."""

    call: Call
    model: Model
    reports: list[CallReport] = field(default_factory=list)
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.call.desk.clock.now()

    def answers(self, prompt: Prompt, *, cut_is_enough: bool = False) -> Iterator[str]:
        """Texts of the model, the next one asked for when the last was of no use. `cut_is_enough`: at last also half of one."""
        asking: Prompt | None = prompt
        for left in reversed(range(TRIES)):
            if asking is None:
                return
            pieces: list[str] = []
            report = self.model.stream(asking, sink=pieces.append, stop=self.call.desk.stop)
            self.reports.append(report)
            cut = cut_is_enough and not left and report.end is StreamEnd.LENGTH
            if report.end is StreamEnd.WHOLE or cut:
                yield "".join(pieces)
            asking = second_try(asking, report, self.call.desk.stop)

    @property
    def usd(self) -> float | None:
        """What it cost; None when the price is not known."""
        return self._usage.usd

    @property
    def _usage(self) -> Usage:
        return sum((report.usage for report in self.reports), Usage())

    def measured(self) -> str:
        """Small print: seconds from when the work began to now, money, model."""
        usd = "cost unknown" if self.usd is None else money(self.usd)
        took = seconds(self.call.desk.clock.now() - self.began)
        return f"<sub>{took} · {usd} · {one_line(self.model.name, 80)}</sub>"

    def failed(self, redactor: Redactor) -> Outcome:
        """Said, and why. Nothing is said while the process stops: the job runs again."""
        report = self.reports[-1]
        if report.end is StreamEnd.CANCELLED:
            raise OutsideError("The answer was stopped")
        url = self.call.answer(no_answer(report, redactor))
        if self.call.command is not None:
            self.call.react(Reaction.NO)
        return Outcome(what="failed", why=report.end.value, url=url, usd=self.usd)


def harmless(text: str, redactor: Redactor) -> str:
    """The model's Markdown as it may be posted: no secret, mention, image, link, command or mark of ours; bounded."""
    return prose(redactor.redact(text), limit=ANSWER_CAP).strip()


def no_question() -> str:
    """`/spark ask` alone."""
    return f"What would you like to know? It is written so:\n\n{answers.usages(COMMANDS[Verb.ASK].usages)}"


def no_model() -> str:
    """No key is set, so nobody can be asked."""
    return (
        "I cannot answer this: no model is set up here, so I review with analyzers alone. Who runs Spark sets the key of an "
        "endpoint; then ask again."
    )


def no_answer(report: CallReport, redactor: Redactor) -> str:
    """The model was asked, and why there is no answer."""
    why = "its answer could not be read" if report.end is StreamEnd.WHOLE else report.end.value
    detail = f" ({one_line(redactor.redact(report.detail), 200)})" if report.detail else ""
    remedy = _REMEDIES.get(report.end, "Ask again in a while with `/spark ask`.")
    return f"I have no answer to this, because of the model: {why}{detail}. {remedy}"


_REMEDIES: Final[Mapping[StreamEnd, str]] = {
    StreamEnd.BUDGET: "`budget.max_usd` in `.github/spark.yml`, or the limit that the server is set to, would have to be higher.",
    StreamEnd.DAY_BUDGET: "It starts anew at midnight UTC; who runs Spark can raise it.",
    StreamEnd.REFUSED: "Another wording may help.",
    StreamEnd.LENGTH: "A narrower question may help.",
}


def taken_back(*, excused: bool, refused: str, redactor: Redactor) -> str:
    """What follows from a concession. `refused`: why GitHub did not resolve the thread; empty when it did."""
    text = "I take this report back and will not bring it up again in this pull request."
    if refused:
        text += f" GitHub did not let me resolve this thread: {answers.said(refused, redactor)}"
    else:
        text += " To have it looked at again, unresolve this thread."
    return text if excused else f"{text} {answers.still_counted()}"


def left_open(severity: Severity) -> str:
    """A grave report that was refuted by somebody who may not dismiss it."""
    return (
        f"I leave this thread open all the same: its severity is {severity}, so taking it back is for somebody who may write "
        "to this repository. They can say `/spark ignore REASON` here."
    )
