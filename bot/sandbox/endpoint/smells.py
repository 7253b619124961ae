"""Some thirty well-known mistakes that a line or two can show. The knowledge of the rule-based reviewer.

Patterns look at added lines alone and know no types: they find what they find, also in comments and tests. That is on
purpose: a model has false alarms too, and the check call is there to refute them.
"""

from __future__ import annotations

from bot.sandbox.endpoint.smell import GO, JAVASCRIPT, PYTHON, SECRET, SHELL, Smell, smell
from bot.sandbox.endpoint.smells_other import OTHER_SMELLS
from bot.sandbox.endpoint.smells_python import PYTHON_SMELLS

_SQL = r"(?i:select\s.+?\sfrom|insert\s+into|update\s+\w+\s+set|delete\s+from)"

SMELLS: tuple[Smell, ...] = (
    smell(
        (*PYTHON, *GO, *JAVASCRIPT),
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
    smell(
        (*PYTHON, *JAVASCRIPT, *GO, *SHELL),
        rf"""\b\w*{SECRET}\w*["']?\s*(?::=|=|:)\s*["'](?!\s*["']|\$|<|\{{|changeme)[^"'\s]{{6,}}["']""",
        "critical",
        "security",
        "A secret is written into the code",
        "Everybody who can read the repository can read it, and it stays in the history. Read it from the environment "
        "or a secret store, and replace this one.",
        in_strings=True,
    ),
    *PYTHON_SMELLS,
    *OTHER_SMELLS,
)
