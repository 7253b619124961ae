"""Twenty rounds of pushes on one pull request, with a model that nags: how many comments does each round bring?

The stand-in endpoint finds a new low nit at another line of whatever it is shown each time it is asked, preferably on a line
that it was shown before; it calls an old finding by other words now and then; and it finds real mistakes in new code. The
server is the real one behind its webhook (`tests/e2e/pulls`), which holds the same table.

    python bench/rounds.py
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from bot.sandbox.endpoint import Answer, EndpointRequest, reviewer
from bot.sandbox.endpoint.reviewer import Asked, asked
from bot.sandbox.endpoint.shown import Shown, read_shown

TESTS = Path(__file__).parents[1] / "tests" / "e2e" / "pulls"
NITS = ("This name says little", "The spacing is uneven", "A comment would help here", "This reads backwards")
OTHER_WORDS = ("Consider rewording", "Could be tidier", "Style deviates")
_HELD = re.compile(r"(\d+) held back")
_WHOLE = re.compile(r"(\d+) of \1 hunks reviewed|all (\d+) hunks were reviewed before")
_HUNKS = re.compile(r"\): (\d+) of (\d+) hunks?")


class Nag:
    """The endpoint's script."""

    def __init__(self) -> None:
        self._usual = reviewer()
        self._calls: Counter[str] = Counter()
        self._shown: set[tuple[str, str]] = set()
        self._named: dict[tuple[str, str], None] = {}
        self.said = 0
        """Findings that it told, new or not."""

    def __call__(self, request: EndpointRequest) -> Answer:
        """Answer one call."""
        kind = asked(request.system or request.user)
        if kind is Asked.REVIEW:
            return self._review(request)
        answer = self._usual(request)
        if kind is Asked.CHECK:
            return Answer(text=json.dumps({"analysis": "I mean it.", "verdict": "real"}) + "\n")
        if kind is Asked.FOLLOW_UP and '"unsure"' in answer.text:
            return Answer(text=json.dumps({"analysis": "I would still word it otherwise.", "fixed": "no"}) + "\n")
        return answer

    def _review(self, request: EndpointRequest) -> Answer:
        lines = [line for line in read_shown(request.user) if line.added and line.code.strip()]
        # Files are asked about side by side, in any order; each file has its own count, so that every run is the same.
        path = lines[0].path if lines else ""
        self._calls[path] += 1
        call = self._calls[path]
        found = [line for line in self._usual(request).text.splitlines() if '"at"' in line]
        fresh = [line for line in lines if _key(line) not in self._named]
        if fresh:
            nit = min(fresh, key=lambda line: _key(line) not in self._shown)
            self._named[_key(nit)] = None
            found.append(_finding(nit, f"{NITS[call % len(NITS)]} ({nit.code.strip()[:30]})"))
        again = [line for line in lines if _key(line) in self._named and _key(line) in self._shown]
        if again and call % 2 == 0:
            found.append(_finding(again[0], OTHER_WORDS[call % len(OTHER_WORDS)]))
        self._shown |= {_key(line) for line in lines}
        self.said += len(found)
        return Answer(text="\n".join([*(found or ['{"none": true}']), '{"end": true}', ""]))


def _key(line: Shown) -> tuple[str, str]:
    return line.path, line.code


def _finding(line: Shown, title: str) -> str:
    value = {"path": line.path} if line.path else {}
    value |= {"at": line.tag, "body": f"{title}.", "category": "style", "severity": "low", "title": title}
    return json.dumps(value | {"suggestion": None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One round."""

    round: int
    push: str
    hunks: str
    """Looked at, of all."""
    said: int
    """Findings that the model told."""
    on_new: int
    """New comments on lines that came with this push."""
    on_old: int
    """New comments on lines that stood there before."""
    held_back: int
    notes: int
    """In threads that are there."""
    notifications: int


@dataclass(slots=True)
class Game:
    """A pull and its rounds."""

    chat: Any
    nag: Nag = field(default_factory=Nag)
    rows: list[Row] = field(default_factory=list)
    _before: dict[str, str] = field(default_factory=dict)
    _threads: int = 0
    _said: int = 0

    def round(self, push: str, do: Callable[[], object]) -> Row:
        """One push and its review."""
        do()
        turn, threads = self.chat.turns[-1], self.chat.threads
        new = threads[self._threads :]
        old = [thread for thread in new if _was_there(thread, self._before)]
        summary = self.chat.summary
        held, hunks = _HELD.search(summary), _HUNKS.search(summary)
        whole = _WHOLE.search(summary)
        row = Row(
            round=len(self.rows) + 1,
            push=push,
            hunks=f"{hunks[1]} of {hunks[2]}" if hunks else _whole(whole),
            said=self.nag.said - self._said,
            on_new=len(new) - len(old),
            on_old=len(old),
            held_back=int(held[1]) if held else 0,
            notes=turn.replies,
            notifications=turn.notifications,
        )
        self.rows.append(row)
        self._threads, self._said = len(threads), self.nag.said
        self._before = self.files()
        return row

    def files(self) -> dict[str, str]:
        """The pull's files now."""
        git, head = self.chat.repo.git, self.chat.pull.head_sha
        names = git.text("ls-tree", "-r", "--name-only", head).split()
        return {name: git.read(f"{head}:{name}")[2].decode() for name in names}


def _whole(found: re.Match[str] | None) -> str:
    if found is None:
        return "?"
    return f"{found[1]} of {found[1]}" if found[1] else f"0 of {found[2]}"


def _was_there(thread: Any, before: dict[str, str]) -> bool:
    """Whether a thread's line stood in its file before the push."""
    line = thread.rows[-1].text if thread.rows else ""
    return line in before.get(thread.path, "").split("\n")


def module(name: str, functions: int) -> str:
    """A file of the pull, with two mistakes."""
    lines = [f'"""The part {name}."""', "", "import json", ""]
    for at in range(functions):
        lines += ["", f"def {name}_{at}(rows, factor):", f"    total_{at} = factor * {at + 2}"]
        lines += [
            f"    for row in rows[{at}:]:",
            f"        total_{at} += row.{name}_{at}",
            f"    return total_{at}",
            "",
        ]
    lines += ["", f"def {name}_add(row, rows=[]):", f"    rows.append(row.{name})", "    return rows", ""]
    lines += ["", f"def {name}_load(text):", f'    return json.loads(text)["{name}"]']
    return "\n".join(lines) + "\n"


def before() -> dict[str, str]:
    """What is on main."""
    return {"shop/core.py": module("core", 12).replace("rows=[]", "rows=None"), "shop/other.py": module("other", 2)}


def play(chat: Any, nag: Nag) -> list[Row]:
    """Twenty rounds. The pushes are of all kinds, again and again."""
    game = Game(chat=chat, nag=nag)
    first = {f"shop/{name}.py": module(name, 5) for name in ("alpha", "beta", "gamma")}
    core = before()["shop/core.py"].replace("factor * 4", "factor + 4").replace("factor * 11", "factor + 11")
    game.round("opened: 3 new files, 2 changes in another", lambda: chat.opens({**first, "shop/core.py": core}))

    def edit(path: str, old: str, new: str) -> None:
        text = chat.file(path)
        assert text.count(old) == 1, (path, old)
        chat.pushes({path: text.replace(old, new)}, f"{new} in {path}")

    def grow(path: str, number: int) -> None:
        chat.pushes(
            {path: f"{chat.file(path)}\n\ndef more_{number}(a, to=[]):\n    to.append(a)\n    return to\n"}, "More"
        )

    def main(number: int) -> None:
        chat.main_gets({f"shop/main_{number}.py": module(f"main_{number}", 2)}, f"Main {number}")

    def rebase(number: int) -> None:
        main(number)
        chat.rebases()

    def merge(number: int) -> None:
        main(number)
        chat.merges_main()

    def squash() -> None:
        names = chat.repo.git.text("diff", "--name-only", f"main...{chat.pull.head_sha}").split()
        chat.force_pushes({name: chat.file(name) for name in names}, "All in one")

    def empty() -> None:
        chat.pushes({}, "Nothing")

    game.round("a new file", lambda: chat.pushes({"shop/delta.py": module("delta", 3)}, "Delta"))
    game.round("a line in an old file", lambda: edit("shop/alpha.py", "factor * 4", "factor * 40"))
    game.round("a rebase", lambda: rebase(1))
    game.round("a merge of main", lambda: merge(2))
    game.round("a function in an old file", lambda: grow("shop/beta.py", 1))
    game.round("an empty commit", empty)
    game.round("a line in the other file", lambda: edit("shop/core.py", "factor + 11", "factor + 110"))
    game.round("all commits squashed", squash)
    game.round("a full review asked for", lambda: _asks(chat))
    game.round("a line in an old file", lambda: edit("shop/gamma.py", "factor * 3", "factor * 30"))
    game.round("a function in an old file", lambda: grow("shop/gamma.py", 2))
    game.round("a mistake mended", lambda: edit("shop/delta.py", "rows=[]", "rows"))
    game.round("a merge of main", lambda: merge(3))
    game.round("a new file", lambda: chat.pushes({"shop/eps.py": module("eps", 3)}, "Eps"))
    game.round("lines of an old file moved", lambda: _moved(chat, "shop/alpha.py"))
    game.round("a rebase", lambda: rebase(4))
    game.round("a full review asked for", lambda: _asks(chat))
    game.round("an empty commit", empty)
    game.round("a line in an old file", lambda: edit("shop/beta.py", "factor * 5", "factor * 50"))
    return game.rows


def _asks(chat: Any) -> None:
    chat.says("/spark review", by="alice")


def _moved(chat: Any, path: str) -> None:
    """The last function goes to the top."""
    head, first, *rest = chat.file(path).split("\n\n\n")
    chat.pushes({path: "\n\n\n".join([head, rest[-1].rstrip("\n"), first, *rest[:-1]]) + "\n"}, "Order")


def table(rows: Sequence[Row]) -> str:
    """As docs/measured.md has it."""
    lines = [
        "| round | what was pushed | hunks looked at | findings told by the model | comments on new lines | comments on old lines "
        "| held back | notes in threads | notifications |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            row.round,
            row.push,
            row.hunks,
            row.said,
            row.on_new,
            row.on_old,
            row.held_back,
            row.notes,
            row.notifications,
        )
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines)


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"spark_tests_pulls_{name}", TESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


def main() -> int:
    """Play, and print the table."""
    house, chat = _module("house"), _module("chat")
    with tempfile.TemporaryDirectory() as folder, house.open_house(Path(folder)) as home:
        repo = home.repo("nag")
        nag = Nag()
        home.voice.script = nag
        repo.commit("main", before(), "Before", "bob")
        print(table(play(chat.Chat(home, repo), nag)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
