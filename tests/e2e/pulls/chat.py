"""A pull as its people see it: what they do on it, and the transcript of who said what where.

`python tests/e2e/pulls/chat.py` plays the life of one pull (`life.py`) and writes docs/life-of-a-pull.md.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.review.render.markers import read_finding_markers, read_review_marker, split_ending
from bot.sandbox.github import talk
from bot.sandbox.github.happening import Happening

PAGE = Path(__file__).parents[3] / "docs" / "life-of-a-pull.md"
US = "spark[bot]"
_EMOJI = {"eyes": "👀", "rocket": "🚀", "+1": "👍", "-1": "👎", "confused": "😕"}
_SMALL = re.compile(r"^<sub>.*?</sub>\n*", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"\*\*(?:\W{1,4} )?\w+ · (?:\w+ · )?(.*?)\*\*")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened on the pull."""

    who: str
    where: str
    what: str
    record: Any = None
    """The comment, whose reactions are shown with it."""


@dataclass
class Turn:
    """What somebody did, and all that came of it."""

    title: str
    entries: list[Entry] = field(default_factory=list)
    is_push: bool = False
    reviews: int = 0
    """Reviews of ours."""
    line_comments: int = 0
    """Of those reviews."""
    replies: int = 0
    """Of ours, in threads."""
    together: int = 0
    """Of those, sent in a review with others."""
    comments: int = 0
    """Of ours, in the conversation."""
    seconds: float = 0.0

    @property
    def notifications(self) -> int:
        """What GitHub tells people of: a review with all its comments is one, and an edit is nothing."""
        return self.reviews + self.replies - self.together + self.comments


class Chat:
    """One pull. Everything that a person does waits until nothing more follows from it."""

    def __init__(self, house: Any, repo: Any) -> None:
        self.house = house
        self.repo = repo
        self.pull: Any = None
        self.turns: list[Turn] = []
        self.acks: list[float] = []
        """Seconds from each command's comment to our first reaction on it."""
        house.github.world.listeners.append(self._heard)

    # -- what people do

    @contextmanager
    def turn(self, title: str, *, is_push: bool = False) -> Iterator[Turn]:
        """What is done inside, with what follows from it."""
        turn = Turn(title, is_push=is_push)
        self.turns.append(turn)
        began, told = time.monotonic(), len(self.house.github.webhooks.deliveries)
        yield turn
        self.house.settle()
        turn.seconds = time.monotonic() - began
        for delivery in self.house.github.webhooks.deliveries[told:]:
            ended = self.house.ended(delivery) if delivery.status_code == 202 else None
            if ended is not None and "ack" in ended.timing:
                self.acks.append(ended.timing["ack"])

    def opens(self, files: Mapping[str, str | None], *, by: str = "alice", title: str = "A change") -> Any:
        """A branch with these files, and a pull from it."""
        with self.turn(f"{by} opens the pull request", is_push=True):
            branch = f"work-{len(self.repo.pulls) + 1}"
            self.repo.branch(branch)
            self.repo.commit(branch, files, title, by)
            self.pull = self.repo.open_pull(title, "What it is for.", head=branch, author=by)
        return self.pull

    def pushes(self, files: Mapping[str, str | None], message: str, *, by: str = "alice") -> Turn:
        """A commit on the pull's branch."""
        with self.turn(f"{by} pushes: {message}", is_push=True) as turn:
            self.repo.commit(self.pull.head_ref, files, message, by)
        return turn

    def rebases(self, *, by: str = "alice") -> Turn:
        """Each commit of the pull anew on main as it is now, force-pushed."""
        with self.turn(f"{by} rebases onto main and force-pushes", is_push=True) as turn:
            git = self.repo.git
            main, base = git.resolve("main"), git.merge_base("main", self.pull.head_sha)
            tip = main
            for sha in reversed(git.text("rev-list", f"{base}..{self.pull.head_sha}").split()):
                tree = git.merge(main, sha)
                assert tree is not None, "the rebase conflicts"
                message = git.commit_info(sha).message
                tip = git.write_commit(tree=tree, parents=[tip], message=message, author=self._person(by))
            self.repo.push(self.pull.head_ref, tip, by=by)
        return turn

    def merges_main(self, *, by: str = "alice") -> Turn:
        """A merge commit of main on the pull's branch."""
        with self.turn(f"{by} merges main into the branch", is_push=True) as turn:
            git = self.repo.git
            main, head = git.resolve("main"), self.pull.head_sha
            tree = git.merge(head, main)
            assert tree is not None, "the merge conflicts"
            message = f"Merge branch 'main' into {self.pull.head_ref}"
            sha = git.write_commit(tree=tree, parents=[head, main], message=message, author=self._person(by))
            self.repo.push(self.pull.head_ref, sha, by=by)
        return turn

    def force_pushes(self, files: Mapping[str, str | None], message: str, *, by: str = "alice") -> Turn:
        """The branch is main with one commit of these files; what it had is gone."""
        with self.turn(f"{by} force-pushes: {message}", is_push=True) as turn:
            git = self.repo.git
            base = git.merge_base("main", self.pull.head_sha)
            raw = {path: text.encode() if text is not None else None for path, text in files.items()}
            sha = git.write_commit(
                tree=git.write_tree(base, raw), parents=[base], message=message, author=self._person(by)
            )
            self.repo.push(self.pull.head_ref, sha, by=by)
        return turn

    def says(self, body: str, *, by: str) -> Any:
        """A comment in the conversation."""
        with self.turn(f"{by} writes in the conversation"):
            return talk.say(self.repo, self.pull.number, body, by=by)

    def replies(self, title: str, body: str, *, by: str) -> Any:
        """A reply in our thread with this title."""
        with self.turn(f"{by} replies in a thread"):
            return talk.reply(self.repo, self.thread(title), body, by=by)

    def main_gets(self, files: Mapping[str, str | None], message: str, *, by: str = "bob") -> None:
        """A commit on main, which nobody reviews."""
        self.repo.commit("main", files, message, by)
        self.house.settle()

    def _person(self, login: str) -> Any:
        return self.repo.world.person(self.repo.world.user(login))

    # -- what is there

    @property
    def threads(self) -> list[Any]:
        """Ours on this pull, oldest first."""
        with self.repo.world.lock:
            return [
                thread
                for thread in self.repo.threads.values()
                if thread.pull is self.pull and thread.comments[0].author.login == US
            ]

    def thread(self, title: str) -> Any:
        """The one of ours whose title has these words."""
        (found,) = [thread for thread in self.threads if title in heading(thread)]
        return found

    def titles(self) -> list[tuple[str, str]]:
        """Path and title of each thread of ours."""
        return [(thread.path, heading(thread)) for thread in self.threads]

    def fingerprints(self) -> list[str]:
        """Of all our line comments that begin a thread."""
        return [str(mark) for thread in self.threads for mark in read_finding_markers(thread.comments[0].body)]

    @property
    def reviews(self) -> list[Any]:
        """Ours with a summary, oldest first."""
        with self.repo.world.lock:
            found = [each for each in self.repo.reviews.values() if each.pull is self.pull and each.author.login == US]
        marks = [(review, read_review_marker(review.body)) for review in found]
        return [review for review, mark in marks if mark is not None and mark.head]

    @property
    def summary(self) -> str:
        """The text of our newest review as it is now."""
        return visible(self.reviews[-1].body)

    def check(self, head: str = "") -> Any:
        """The one check run of a commit; of the head by default."""
        sha = head or self.pull.head_sha
        with self.repo.world.lock:
            (run,) = [run for suite in self.repo.suites.values() if suite.head_sha == sha for run in suite.runs]
        return run

    def checks(self) -> list[Any]:
        """Of all heads that the pull had."""
        heads = {*self.pull.former_heads, self.pull.head_sha}
        with self.repo.world.lock:
            return [run for suite in self.repo.suites.values() if suite.head_sha in heads for run in suite.runs]

    def said_by_us(self) -> list[Any]:
        """Our answers in the conversation."""
        with self.repo.world.lock:
            return [
                each for each in self.repo.issue_comments.values() if each.pull is self.pull and each.author.login == US
            ]

    def file(self, path: str) -> str:
        """A file of the head."""
        return str(self.repo.git.read(f"{self.pull.head_sha}:{path}")[2].decode())

    def reactions(self, said: Any, by: str = US) -> list[str]:
        """What somebody put under a comment."""
        return [each.content for each in said.reactions if each.user.login == by]

    # -- what was heard

    def _heard(self, happening: Happening) -> None:
        if happening.repo is not self.repo or not self.turns or not self._is_here(happening):
            return
        turn, who = self.turns[-1], happening.sender.login
        match (happening.event, happening.action):
            case ("pull_request", "opened"):
                pull: Any = happening.subjects["pull"]
                turn.entries.append(Entry(who=who, where="pull request", what=f"*opens #{pull.number}: {pull.title}*"))
            case ("pull_request", "synchronize"):
                turn.entries.append(Entry(who=who, where="branch", what=self._pushed(happening)))
            case ("issue_comment", "created"):
                comment: Any = happening.subjects["comment"]
                turn.comments += who == US
                turn.entries.append(Entry(who=who, where="conversation", what=visible(comment.body), record=comment))
            case ("pull_request_review", "submitted"):
                review: Any = happening.subjects["review"]
                turn.reviews += who == US
                turn.entries.append(Entry(who=who, where="review", what=visible(review.body), record=review))
            case ("pull_request_review", "edited"):
                edited: Any = happening.subjects["review"]
                turn.entries.append(Entry(who=who, where="review, its text replaced", what=visible(edited.body)))
            case ("pull_request_review_comment", "created"):
                line: Any = happening.subjects["comment"]
                first = line.reply_to is None
                turn.line_comments += first and who == US
                turn.replies += not first and who == US
                turn.together += not first and who == US and bool(line.review.body)
                where = f"{'new thread' if first else 'thread'} {line.thread.path}:{line.thread.original_line}"
                turn.entries.append(Entry(who=who, where=where, what=visible(line.body), record=line))
            case ("pull_request_review_comment", "edited"):
                said: Any = happening.subjects["comment"]
                where = f"thread {said.thread.path}:{said.thread.original_line}, its note replaced"
                turn.entries.append(Entry(who=who, where=where, what=visible(said.body)))
            case ("pull_request_review_thread", action):
                thread: Any = happening.subjects["thread"]
                where = f"thread {thread.path}:{thread.original_line}"
                turn.entries.append(Entry(who=who, where=where, what=f"*{action} the thread: {heading(thread)}*"))
            case ("check_run", "completed"):
                run: Any = happening.subjects["run"]
                what = f"*{run.conclusion}: {run.title}*"
                turn.entries.append(Entry(who=who, where=f"check of {run.suite.head_sha[:7]}", what=what))

    def _is_here(self, happening: Happening) -> bool:
        pull = happening.subjects.get("pull")
        return pull is None or self.pull is None or pull is self.pull

    def _pushed(self, happening: Happening) -> str:
        before, after = str(happening.subjects["before"]), str(happening.subjects["after"])
        git = self.repo.git
        forced = not git.is_ancestor(before, after)
        headline = git.commit_info(after).message.partition("\n")[0]
        return f"*{'force-pushes' if forced else 'pushes'} {after[:7]}: {headline}*"

    # -- told again

    def markdown(self) -> str:
        """The transcript."""
        parts = []
        for number, turn in enumerate(self.turns, 1):
            lines = [f"## {number}. {turn.title}", ""]
            for entry in turn.entries:
                seen = "".join(f" {_EMOJI[each.content]}" for each in getattr(entry.record, "reactions", []))
                lines += [f"**{entry.who}** · {entry.where}{seen}", "", *_quoted(entry.what), ""]
            if turn.is_push:
                lines += [f"<sub>{counted(turn)}</sub>", ""]
            parts.append("\n".join(lines))
        return "\n".join(parts)


def counted(turn: Turn) -> str:
    """How much came of a turn from us."""
    return (
        f"{turn.reviews} review{'s' * (turn.reviews != 1)}, {turn.line_comments} line comments in it, "
        f"{turn.replies} notes in threads, {turn.comments} in the conversation: notifications {turn.notifications}"
    )


def heading(thread: Any) -> str:
    """What the first comment of a thread of ours is called."""
    body = thread.comments[0].body
    found = _TITLE.search(body)
    return found[1] if found else body.partition("\n")[0]


def visible(body: str) -> str:
    """A body without its marks and its small print, which has seconds in it."""
    return _SMALL.sub("", split_ending(body.replace("\r\n", "\n"))[0]).strip()


def _quoted(text: str) -> Sequence[str]:
    return [f"> {line}".rstrip() for line in text.split("\n")]


_ABOUT = """# The life of one pull request

Five findings: alice mends one by hand, `/spark fix --commit` mends another and `/spark fix all` a third; bob dismisses one, and
alice argues about the last. She pushes four times, once after a rebase and once after a merge of main, and two commits are
Spark's own. No finding is posted twice, what is mended is resolved, what is dismissed stays silent although its like comes
later, and what was argued about stays open and keeps the check red.

This is the transcript of a test (`tests/e2e/pulls/test_the_life_of_a_pull.py`): a real server behind its webhook, with the
stand-ins of `bot/sandbox` for GitHub and for the model. Emoji behind a comment are the reactions on it; small print is left
out. Again: `python tests/e2e/pulls/chat.py`.

"""


def page(chat: Chat) -> str:
    """The transcript as docs/life-of-a-pull.md has it."""
    return _ABOUT + re.sub(r"http://127\.0\.0\.1:\d+", "https://github.example", chat.markdown())


def _main() -> int:
    """Play the story and write the page."""
    sys.path.insert(0, str(Path(__file__).parent))
    # The tests load them by their path.
    import house
    import life

    with tempfile.TemporaryDirectory() as folder, house.open_house(Path(folder)) as home:
        chat = Chat(home, home.repo("acme"))
        chat.main_gets({"README.md": "# Shop\n", ".github/spark.yml": life.CONFIG, **life.BEFORE}, "The shop")
        life.play(chat)
        PAGE.write_text(page(chat), encoding="utf-8")
        sys.stdout.write(f"{PAGE}: {len(chat.turns)} turns\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
