"""The second part of the demo: a person talks back. `/spark fix` in a thread, then `/spark fix all`, and the review after it.

The gestures are made on the stand-in GitHub as in a browser, the answers are Spark's real ones. The notes in the threads come all
at once, so it shows the first and says how many threads are resolved.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Final

from bot.cli.demo_show import Show
from bot.cli.demo_stage import Server, Stage
from bot.cli.demo_watch import Moment, OnGitHub, Watch
from bot.errors import OutsideError
from bot.review.render import words
from bot.sandbox import example
from bot.sandbox.github import reactions, talk
from bot.sandbox.github.records import Comment, IssueComment, Thread
from bot.sandbox.github.threads import pull_threads

_SECONDS: Final = 20.0
"""How long a command may take."""
_LOOK: Final = 0.005
"""Seconds between two looks for a reaction: nobody is told of those."""
_SUGGESTED: Final = re.compile(r"^```suggestion\n(.*?)^```", re.MULTILINE | re.DOTALL)


def talk_back(here: Stage, process: Server, show: Show) -> None:
    """All of it. Raises OutsideError when an answer does not come, or the server ends."""
    watch = Watch()
    here.on_happening(watch.happened)
    show.talk()
    _asks_for_one(_Asked(here, process, watch, show), _without_patch(here))
    _asks_for_all(_Asked(here, process, watch, show))
    settled = [each for each in pull_threads(here.repo, here.repo.pulls[1]) if each.resolved_by is not None]
    show.line(f"{'':10}{words.count(len(settled), 'thread')} resolved so far", "dim")


def _asks_for_one(asked: _Asked, thread: Thread) -> None:
    """`/spark fix` in a thread."""
    asked.begins(
        talk.reply(asked.here.repo, thread, "/spark fix", by=example.AUTHOR),
        f"in the thread of {thread.path}:{thread.line}",
    )
    while (moment := asked.next()).what is not OnGitHub.ANSWERED:
        pass
    suggested = _SUGGESTED.search(moment.data["body"])
    if suggested is None:
        asked.shows(moment, f"Spark answers: {_first_line(moment.data['body'])}")
    else:
        asked.shows(moment, "Spark answers with a suggestion, applied and parsed:", suggested[1].strip().splitlines())


def _asks_for_all(asked: _Asked) -> None:
    """`/spark fix all`, until its first thread is resolved and all else was seen."""
    asked.begins(talk.say(asked.here.repo, 1, "/spark fix all", by=example.AUTHOR), "in the conversation")
    missing = {OnGitHub.PUSHED, OnGitHub.ANSWERED, OnGitHub.POSTED, OnGitHub.RESOLVED}
    noted = False
    while missing:
        moment = asked.next()
        # A review with nothing new to say takes the place of the last one's text.
        what = OnGitHub.POSTED if moment.what is OnGitHub.EDITED else moment.what
        body = _first_line(moment.data.get("body", ""))
        match what:
            case OnGitHub.PUSHED:
                asked.shows(moment, "Spark pushes one commit to the branch")
            case OnGitHub.CHECK_OPENED:
                asked.shows(moment, f"the check {moment.data['name']} is on the new head")
            case OnGitHub.ANSWERED if not moment.data["in_thread"]:
                asked.shows(moment, f"Spark answers: {body}")
            case OnGitHub.ANSWERED:
                if not noted:
                    asked.shows(moment, f"Spark writes in the first thread: {body}")
                noted = True
                continue
            case OnGitHub.POSTED if what in missing:
                new = (
                    "nothing is new, so the last summary is replaced"
                    if moment.what is OnGitHub.EDITED
                    else "what is new is posted"
                )
                asked.shows(moment, f"the new head is reviewed: {new}")
            case OnGitHub.RESOLVED if what in missing:
                asked.shows(moment, "and resolves it")
        if isinstance(what, OnGitHub):
            missing.discard(what)


class _Asked:
    """One command, from the moment it was written."""

    def __init__(self, here: Stage, process: Server, watch: Watch, show: Show) -> None:
        self.here = here
        self._process = process
        self._watch = watch
        self._show = show
        self._began = time.monotonic()

    def begins(self, comment: Comment | IssueComment, where: str) -> None:
        """It was written; wait for the reaction."""
        self._show.said(0.0, f"{example.AUTHOR} writes {where}: {comment.body}")
        while not (seen := self._reactions(comment)):
            self._wait(_LOOK)
        self._show.said(time.monotonic() - self._began, f"Spark reacts: {seen}")

    def next(self) -> Moment:
        """What is seen next."""
        while (moment := self._wait(0.5)) is None:
            pass
        return moment

    def shows(self, moment: Moment, text: str, quoted: Sequence[str] = ()) -> None:
        """Show it with its time."""
        self._show.said(moment.at - self._began, text, quoted)

    def _reactions(self, comment: Comment | IssueComment) -> str:
        with self.here.github.world.lock:
            return " ".join(emoji for emoji, _ in reactions.counted(comment))

    def _wait(self, seconds: float) -> Moment | None:
        moment = self._watch.next(seconds)
        if moment is None:
            self._process.check()
        if time.monotonic() - self._began > _SECONDS:
            raise OutsideError(f"A command was not answered within {_SECONDS:.0f} s")
        return moment


def _without_patch(here: Stage) -> Thread:
    """Spark's most severe finding without a suggestion; the first one, where all have one."""
    found = pull_threads(here.repo, here.repo.pulls[1])
    if not found:
        raise OutsideError("The review left no thread to talk in")
    return next((thread for thread in found if not _SUGGESTED.search(thread.comments[0].body)), found[0])


def _first_line(body: str) -> str:
    """Without links' addresses and who it is for."""
    text = re.sub(r"\]\([^)]*\)", "]", body.strip().split("\n", 1)[0])
    return re.sub(r"^@\S+ |[\[\]`]", "", text)
