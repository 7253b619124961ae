"""Which of ruff's rules Spark asks for, and how bad each is: a fixed table, never the project's configuration.

Only rules that find mistakes. Style is the project's own business, and a finding about it would drown the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.review.model import Category, Severity

SELECT: Final = ("E9", "F", "B", "S", "ASYNC", "PLE", "W605", "RUF006", "RUF008", "RUF009", "RUF016", "RUF017",
                 "RUF018", "RUF024", "RUF033", "RUF034", "RUF040", "PLW0127", "PLW0128", "PLW0129", "PLW0133",
                 "PLW0177", "PLW0245", "PLW0406", "PLW0711", "PLW1501", "PLW1507", "PLW1508", "PLW1509", "PLW2101")  # fmt: skip

IGNORE: Final = {
    "B007": "an unused loop variable harms nobody",
    "B009": "style",
    "B010": "style",
    "B011": "style: assert False is removed under -O, which its authors know",
    "B024": "an abstract class without abstract methods is often meant",
    "B027": "as B024",
    "B028": "a warning's stacklevel is taste",
    "B905": "an unequal zip is rarely a mistake",
    "B911": "as B905",
    "B912": "as B905",
    "F541": "style",
    "F842": "an annotation without value harms nobody",
    "S101": "an assert is no security hole in most code",
    "S308": "says that mark_safe is used, not that it is wrong",
    "S310": "fires on every urlopen",
    "S311": "fires on every use of random",
    "S403": "an import is no mistake yet",
    "S404": "as S403",
    "S405": "as S403",
    "S406": "as S403",
    "S603": "fires on every subprocess call that is done right",
    "S606": "as S603",
    "S607": "a program found on PATH is what most callers want",
    "ASYNC109": "a timeout parameter is taste",
}
"""Rules of the selected families that are left out, each with its reason."""

_TABLE: Final[Mapping[str, tuple[Severity, Category]]] = {
    "invalid-syntax": (Severity.CRITICAL, Category.BUG),
    "E9": (Severity.HIGH, Category.BUG),
    "F": (Severity.MEDIUM, Category.BUG),
    "F401": (Severity.LOW, Category.MAINTAINABILITY),
    "F403": (Severity.LOW, Category.MAINTAINABILITY),
    "F405": (Severity.LOW, Category.MAINTAINABILITY),
    "F7": (Severity.HIGH, Category.BUG),
    "F811": (Severity.MEDIUM, Category.BUG),
    "F821": (Severity.HIGH, Category.BUG),
    "F822": (Severity.MEDIUM, Category.BUG),
    "F823": (Severity.HIGH, Category.BUG),
    "F841": (Severity.LOW, Category.MAINTAINABILITY),
    "B": (Severity.MEDIUM, Category.BUG),
    "B008": (Severity.LOW, Category.BUG),
    "B013": (Severity.LOW, Category.MAINTAINABILITY),
    "B014": (Severity.LOW, Category.MAINTAINABILITY),
    "B017": (Severity.LOW, Category.TESTS),
    "B018": (Severity.LOW, Category.BUG),
    "B019": (Severity.MEDIUM, Category.PERFORMANCE),
    "B033": (Severity.LOW, Category.MAINTAINABILITY),
    "B904": (Severity.LOW, Category.MAINTAINABILITY),
    "S": (Severity.MEDIUM, Category.SECURITY),
    "S102": (Severity.HIGH, Category.SECURITY),
    "S104": (Severity.LOW, Category.SECURITY),
    "S108": (Severity.LOW, Category.SECURITY),
    "S110": (Severity.LOW, Category.RELIABILITY),
    "S112": (Severity.LOW, Category.RELIABILITY),
    "S113": (Severity.MEDIUM, Category.RELIABILITY),
    "S201": (Severity.HIGH, Category.SECURITY),
    "S202": (Severity.HIGH, Category.SECURITY),
    "S301": (Severity.HIGH, Category.SECURITY),
    "S307": (Severity.HIGH, Category.SECURITY),
    "S323": (Severity.HIGH, Category.SECURITY),
    "S501": (Severity.HIGH, Category.SECURITY),
    "S506": (Severity.HIGH, Category.SECURITY),
    "S507": (Severity.HIGH, Category.SECURITY),
    "S602": (Severity.HIGH, Category.SECURITY),
    "S605": (Severity.HIGH, Category.SECURITY),
    "S608": (Severity.HIGH, Category.SECURITY),
    "S612": (Severity.HIGH, Category.SECURITY),
    "ASYNC": (Severity.MEDIUM, Category.PERFORMANCE),
    "ASYNC1": (Severity.MEDIUM, Category.BUG),
    "PLE": (Severity.HIGH, Category.BUG),
    "PLE2502": (Severity.HIGH, Category.SECURITY),
    "PLE251": (Severity.MEDIUM, Category.SECURITY),
    "PLW": (Severity.MEDIUM, Category.BUG),
    "RUF": (Severity.MEDIUM, Category.BUG),
    "RUF017": (Severity.MEDIUM, Category.PERFORMANCE),
    "W605": (Severity.LOW, Category.BUG),
}
"""By rule or family; the longest entry that a rule begins with counts."""


def weigh(rule: str) -> tuple[Severity, Category]:
    """How bad a result of `rule` is, and of what kind."""
    for length in range(len(rule), 0, -1):
        if (found := _TABLE.get(rule[:length])) is not None:
            return found
    return Severity.LOW, Category.MAINTAINABILITY


def for_tests(path: str) -> bool:
    """Whether a path is that of tests, where the security rules (made-up passwords, temporary files) mislead."""
    *folders, name = path.split("/")
    return (
        name.startswith("test_")
        or name.endswith(("_test.py", "_tests.py"))
        or name in {"conftest.py", "tests.py"}
        or any(folder in {"test", "tests", "testing"} for folder in folders)
    )
