"""Tools that are no model, as findings: ruff, and any SARIF file."""
