"""Tools that are no model, as findings: ruff, and any SARIF file."""

from bot.analyzers.ruff import Ruff
from bot.analyzers.sarif import SarifFile

__all__ = ["Ruff", "SarifFile"]
