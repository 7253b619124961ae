"""Files of the workspace that the inputs name. The workspace may be a pull request's checkout: a link in it leads nowhere else.

A path is relative to `GITHUB_WORKSPACE`, wherever the process runs. An absolute path is the workflow author's own word. A path
below the workspace that a link takes out of it is refused: else a pull request could have a file of the runner read or written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.action.inputs import Inputs
from bot.errors import ConfigError
from bot.review.model import Review

if TYPE_CHECKING:
    from bot.review.render.safe import Redactor


def settled(inputs: Inputs, env: Mapping[str, str]) -> Inputs:
    """The inputs with their files as the process finds them. ConfigError for a place that may not be read or written."""
    root = Path(env.get("GITHUB_WORKSPACE") or Path.cwd()).absolute()
    target = place(root, inputs.sarif_file, name="sarif-file") if inputs.sarif_file is not None else None
    if target is not None and target.is_dir():
        raise ConfigError(f"the input sarif-file names {inputs.sarif_file}, a directory", remedy="Name a file.")
    return replace(
        inputs,
        sarif_file=target,
        analyzer_sarif=tuple(place(root, path, name="analyzer-sarif") for path in inputs.analyzer_sarif),
    )


def place(root: Path, path: Path, *, name: str) -> Path:
    """Where `path` of the input `name` is, with `root` for the workspace; nothing has to be there yet."""
    named = Path(os.path.normpath(root / path))
    if not named.is_relative_to(root):
        if not path.is_absolute():
            raise ConfigError(
                f"the input {name} names {path}, outside of the workspace",
                remedy="Name a file in the workspace, or an absolute path.",
            )
        return named
    try:
        found, home = named.resolve(), root.resolve()
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"the input {name} names {path}, which leads nowhere", remedy="Name a file in the workspace."
        ) from error
    if not found.is_relative_to(home):
        raise ConfigError(
            f"the input {name} names {path}, and a link takes it out of the workspace",
            remedy="The checkout may be a pull request's: name a path without links, or one in runner.temp.",
        )
    return found


def write_sarif(target: Path, review: Review, redactor: Redactor) -> None:
    """Write the review as SARIF; missing folders are made. ConfigError naming the input when that cannot be done."""
    from bot.review.render.sarif import review_sarif  # noqa: PLC0415 - few ask for it

    text = json.dumps(review_sarif(review, redactor), ensure_ascii=False, indent=1)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError(
            f"the SARIF file {target} cannot be written ({why})", remedy="Set the input sarif-file to another place."
        ) from error
