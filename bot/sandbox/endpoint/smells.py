"""Some thirty well-known mistakes that a line or two can show. The knowledge of the rule-based reviewer.

Patterns look at added lines alone and know no types: they find what they find, also in comments and tests. That is on
purpose: a model has false alarms too, and the check call is there to refute them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox.endpoint import mends

_PY = (".py", ".pyi")
_JS = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".vue")
_GO = (".go",)
_SH = (".sh", ".bash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A mistake that was found."""

    lines: int
    """How many lines it spans."""
    suggestion: str | None
    """New text of exactly these lines; None when there is no safe one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smell:
    """One mistake and what to say about it."""

    suffixes: tuple[str, ...]
    pattern: re.Pattern[str]
    severity: str
    category: str
    title: str
    """Unique: a check call is recognised by it."""
    body: str
    becomes: str | Callable[[re.Match[str]], str | None] | None = None
    """A template for the pattern's `sub`, or a function that gives the whole new text."""
    lines: int = 1
    """How many lines the pattern looks at, joined by newlines."""
    in_strings: bool = False
    """Whether it is about what strings say, so that a string is no excuse."""

    def look(self, code: str) -> Spot | None:
        """Whether the mistake begins on the first line of `code`, and what it takes."""
        found = self.pattern.search(code)
        first = code.split("\n", 1)[0]
        if found is None or found.start() > len(first):
            return None
        lines = code[: found.end()].count("\n") + 1
        if self.becomes is None:
            return Spot(lines=lines, suggestion=None)
        text = self.becomes(found) if callable(self.becomes) else self.pattern.sub(self.becomes, code)
        return Spot(lines=lines, suggestion=None if text == code else text)


def _smell(
    suffixes: tuple[str, ...],
    pattern: str,
    severity: str,
    category: str,
    title: str,
    body: str,
    becomes: str | Callable[[re.Match[str]], str | None] | None = None,
    *,
    lines: int = 1,
    in_strings: bool = False,
) -> Smell:
    return Smell(
        suffixes=suffixes,
        pattern=re.compile(pattern),
        severity=severity,
        category=category,
        title=title,
        body=body,
        becomes=becomes,
        lines=lines,
        in_strings=in_strings,
    )


_SECRET = r"(?i:password|passwd|pwd|secret|api_?key|access_?token|auth_?token)"  # noqa: S105 - a pattern for names
_SQL = r"(?i:select\s.+?\sfrom|insert\s+into|update\s+\w+\s+set|delete\s+from)"

SMELLS: tuple[Smell, ...] = (
    _smell(
        (*_PY, *_GO, *_JS),
        rf"""\bf(?P<a>["'])(?=(?:(?!(?P=a)).)*\{{)(?:(?!(?P=a)).)*?\b{_SQL}\b"""
        rf"""|(?P<b>["'])(?:(?!(?P=b)).)*?\b{_SQL}\b(?:(?!(?P=b)).)*(?P=b)\s*(?:\+|%\s*[\w(]|\.format\()"""
        rf"""|Sprintf\(\s*["`]{_SQL}|`[^`]*\b{_SQL}\b[^`]*\$\{{""",
        "critical",
        "security",
        "SQL is put together from strings",
        "The value becomes part of the SQL text, so whoever controls it can change the query. Pass it as a parameter "
        "and let the driver quote it.",
        in_strings=True,
    ),
    _smell(
        (*_PY, *_JS, *_GO, *_SH),
        rf"""\b\w*{_SECRET}\w*["']?\s*(?::=|=|:)\s*["'](?!\s*["']|\$|<|\{{|changeme)[^"'\s]{{6,}}["']""",
        "critical",
        "security",
        "A secret is written into the code",
        "Everybody who can read the repository can read it, and it stays in the history. Read it from the environment "
        "or a secret store, and replace this one.",
        in_strings=True,
    ),
    _smell(
        _PY,
        r"(?<![\w.])(?:eval|exec)\((?!\s*\))",
        "high",
        "security",
        "Text is run as code",
        "Whatever reaches this call is executed with all rights of the process. Parse the value instead, for data "
        "`ast.literal_eval` or `json.loads`.",
    ),
    _smell(
        _PY,
        r"\bshell\s*=\s*True",
        "high",
        "security",
        "A command goes through the shell",
        "With `shell=True` a space, a quote or a `;` in any part of the command is read by the shell. Pass a list of "
        "arguments without it.",
    ),
    _smell(
        _PY,
        r"\byaml\.load\((?!.*Loader)",
        "high",
        "security",
        "YAML is loaded with a loader that runs code",
        "`yaml.load` without a safe loader builds any Python object that the document asks for. `yaml.safe_load` reads "
        "data alone.",
        r"yaml.safe_load(",
    ),
    _smell(
        _PY,
        rf"(?i:(?:md5|sha1)\(.*{_SECRET}|{_SECRET}.*\b(?:md5|sha1)\()",
        "high",
        "security",
        "A password is hashed with a fast hash",
        "MD5 and SHA-1 are made to be fast, so a stolen table is guessed through in hours. Use a password hash such as "
        "`hashlib.scrypt` with a salt.",
    ),
    _smell(
        _PY,
        r"\bpickle\.loads?\(",
        "high",
        "security",
        "Unpickling runs code from the data",
        "A pickle can call any function while it is read. For data that others can touch use JSON, or check a signature "
        "first.",
    ),
    _smell(
        _PY,
        r",\s*verify\s*=\s*False",
        "high",
        "security",
        "Certificates are not verified",
        "With `verify=False` anybody between the two ends can read and change what is sent.",
        "",
    ),
    _smell(
        _PY,
        rf"(?i:{_SECRET}|token|salt|nonce).*\brandom\.(?:choice|choices|randint|random|sample)\(",
        "high",
        "security",
        "A secret comes from a predictable generator",
        "`random` can be predicted after a few outputs. Take `secrets` for anything that must not be guessed.",
    ),
    _smell(
        _PY,
        r"^(\s*(?:while|if|elif)\b.*)<=(\s*len\()",
        "high",
        "bug",
        "The bound goes one past the end",
        "The last index is `len(...) - 1`: with `<=` the loop reads one element too many and raises IndexError.",
        r"\1<\2",
    ),
    _smell(
        _JS,
        r"(for\s*\([^;]*;[^;]*)<=(\s*[\w.]+\.length\s*;)",
        "high",
        "bug",
        "The loop goes one past the end",
        "The last index is `length - 1`: with `<=` the loop also reads `undefined` behind the end.",
        r"\1<\2",
    ),
    _smell(
        _PY,
        r"\bis(\s+not)?\s+(?=[\"'\d])",
        "high",
        "bug",
        "A value is compared by identity",
        "`is` asks whether both are the same object, which for numbers and strings depends on the interpreter's caches. "
        "Compare with `==`.",
        lambda found: found.string[: found.start()] + ("!= " if found[1] else "== ") + found.string[found.end() :],
    ),
    _smell(
        _PY,
        r"^[ \t]*(?:async\s+)?def\s+\w+\(.*=\s*(?:\[\]|\{\}|list\(\)|dict\(\)|set\(\))\s*[,)].*"
        r"(?:\n\s*(?:\"\"\"(?:(?!\"\"\").)*\"\"\"|'[^'\n]*'|\"[^\"\n]*\")\s*$)?",
        "medium",
        "bug",
        "A default value is shared between calls",
        "The default is made once, when the function is defined: what one call puts into it is there in the next.",
        mends.default_none,
        lines=2,
    ),
    _smell(
        _PY,
        r"^[ \t]*except(?:\s+(?:Base)?Exception(?:\s+as\s+\w+)?)?:(?:\s*|\n\s*)pass\s*$",
        "medium",
        "reliability",
        "Every error is swallowed",
        "Whatever goes wrong here leaves no trace, a typo in a name included. Catch what you expect, and log the rest.",
        lines=2,
    ),
    _smell(
        _PY,
        r"^(\s*)except\s*:",
        "medium",
        "reliability",
        "A bare except also catches the interrupt",
        "It catches KeyboardInterrupt and SystemExit too, so the program cannot be stopped here.",
        r"\1except Exception:",
    ),
    _smell(
        _PY,
        r"\brequests\.(?:get|post|put|patch|delete|head|request)\((?!.*\btimeout\b)",
        "medium",
        "reliability",
        "A request without a time limit",
        "Without `timeout` a server that does not answer holds this thread for ever.",
        mends.with_timeout,
    ),
    _smell(
        _PY,
        r"^\s*\w[\w.]*\s*=\s*open\(|\bopen\([^)]*\)\.(?:read|write|readlines)\(",
        "medium",
        "reliability",
        "A file is opened and not closed",
        "If anything raises before `close()`, the file stays open and what was written may not be on disk. Use `with`.",
    ),
    _smell(
        _PY,
        r"/\s*len\(",
        "medium",
        "bug",
        "Division by the length of something that may be empty",
        "For an empty collection this raises ZeroDivisionError. Say what the result is then.",
    ),
    _smell(
        _PY,
        r"^\s*assert\s+(?P<condition>(?!.*\bassert\b)[^,#]+?)(?:,\s*(?P<why>[^#]+))?$",
        "low",
        "reliability",
        "A check that can be switched off",
        "`python -O` removes asserts. What must hold in production needs an `if` with an exception.",
        mends.raised,
    ),
    _smell(
        _PY,
        r"\btime\.time\(\)(?=\s*-|\s*$)",
        "low",
        "reliability",
        "A duration is measured with the wall clock",
        "The wall clock jumps when it is set; a duration can even become negative. `time.monotonic()` does not.",
        "time.monotonic()",
    ),
    _smell(
        _PY,
        r"\bfor\s+(?P<index>\w+)\s+in\s+range\(len\((?P<items>[\w.]+)\)\):",
        "low",
        "maintainability",
        "A loop over indices",
        "`enumerate` gives the index and the element together, and works for every iterable.",
        mends.enumerated,
    ),
    _smell(
        _PY,
        r"==\s*None\b",
        "low",
        "style",
        "None is compared by equality",
        "`==` can be overridden by the other operand; there is one None, so `is None` says what is meant.",
        "is None",
    ),
    _smell(
        _PY,
        r"!=\s*None\b",
        "low",
        "style",
        "None is compared by inequality",
        "`!=` can be overridden by the other operand; there is one None, so `is not None` says what is meant.",
        "is not None",
    ),
    _smell(
        _JS,
        r"\.innerHTML\s*\+?=(?!=)",
        "high",
        "security",
        "Text becomes HTML",
        "Markup in the value is run by the browser: with a user's text in it this is cross-site scripting.",
        mends.as_text,
    ),
    _smell(
        _JS,
        r"(?<![\w.])(?:eval|new Function)\(",
        "high",
        "security",
        "A string is run as JavaScript",
        "Whatever reaches this call is executed in the page. Parse the value instead, for data `JSON.parse`.",
    ),
    _smell(
        _JS,
        r"^\s*debugger;?\s*$",
        "medium",
        "maintainability",
        "A debugger statement was left in",
        "It stops everybody who has the developer tools open.",
        mends.deleted,
    ),
    _smell(
        _JS,
        r"(?<![=!<>])[=!]=(?!=)",
        "low",
        "bug",
        "A loose comparison",
        "`==` converts its operands first: `0 == ''` and `null == undefined` are true. Compare strictly.",
        mends.strictly,
    ),
    _smell(
        _JS,
        r"^(\s*(?:for\s*\()?)var\s",
        "low",
        "style",
        "A variable with the scope of the whole function",
        "`var` is visible before its line and outside of its block; `let` is not.",
        r"\1let ",
    ),
    _smell(
        _GO,
        r"^\s*(?:\w+\s*,\s*)?_\s*:?=\s*[\w.]+\(",
        "medium",
        "reliability",
        "An error is thrown away",
        "The call's error goes to `_`: when it fails, what follows works with a zero value. Check it.",
    ),
    _smell(
        _GO,
        r"InsecureSkipVerify:\s*true",
        "high",
        "security",
        "TLS certificates are not checked",
        "With `InsecureSkipVerify` anybody between the two ends can read and change what is sent.",
        "InsecureSkipVerify: false",
    ),
    _smell(
        _SH,
        r"(?P<rm>\brm\s+-(?:rf|fr))\s+\$\{?(?P<name>\w+)\}?(?P<rest>[\w./-]*)(?=\s|;|$)",
        "high",
        "bug",
        "Deletes more than meant when the variable is empty",
        "Unquoted, a space splits the path in two; empty, only what stands behind the variable is left to delete.",
        mends.quoted_rm,
    ),
    _smell(
        _SH,
        r"\b(?:curl|wget)\b[^|]*\|\s*(?:sudo\s+)?(?:ba|z)?sh\b",
        "high",
        "security",
        "A download is run unseen",
        "Whoever controls the server or the line controls this machine. Download, check a hash, then run.",
    ),
    _smell(
        _SH,
        r"^(\s*cd\s+[^\s;&|]+)\s*$",
        "medium",
        "reliability",
        "Goes on in the wrong folder when cd fails",
        "If the folder is missing, the commands below run where the script happens to be.",
        r"\1 || exit 1",
    ),
)
