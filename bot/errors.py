"""The one exception tree of Spark, and the exit codes that go with it.

An exception here stops the job it is raised in. Outcomes that are expected (a finding that cannot be placed, a stream
that was cut, a head that moved) are return values instead, so that nobody can forget to handle them.
"""

from __future__ import annotations


class SparkError(Exception):
    """Something stopped the job. `str()` is one line: what is wrong, and what to do about it."""

    exit_code = 3

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}. {self.remedy}" if self.remedy else self.what


class UserError(SparkError):
    """The user can mend this: arguments, configuration, credentials. Exit code 2."""

    exit_code = 2


class ConfigError(UserError):
    """A settings variable or a key of `.github/spark.yml` is wrong; names it, with its line where there is one."""


class CredentialsError(UserError):
    """GitHub or the endpoint refused the key or token, or there is none where one is needed."""


class NotPermittedError(UserError):
    """GitHub knows who we are and does not allow this (403, or a 404 that hides one)."""


class OutsideError(SparkError):
    """The outside world failed: endpoint down, GitHub down, git missing. Exit code 3."""


class ModelDownError(OutsideError):
    """The endpoint failed at every stream. A review with this failure was made and told all the same, by analyzers alone."""


class DiffUnreadableError(SparkError):
    """The diff as a whole could not be read; never raised for one bad section, which costs that section alone."""
