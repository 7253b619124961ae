from __future__ import annotations

from pathlib import Path

import pytest

from bot.action.inputs import Inputs
from bot.action.workspace import place, settled
from bot.errors import ConfigError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with a folder, a link inside and two that lead out."""
    root = tmp_path / "workspace"
    (root / "out").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (root / "inside").symlink_to("out")
    (root / "outside").symlink_to(tmp_path / "elsewhere")
    (root / "up").symlink_to("..")
    (root / "loop").symlink_to("loop")
    return root


@pytest.mark.parametrize("name", ["x.sarif", "out/x.sarif", "new/deep/x.sarif", "out/../x.sarif", "inside/x.sarif"])
def test_a_path_of_the_workspace_is_found_there(root: Path, name: str) -> None:
    found = place(root, Path(name), name="sarif-file")
    assert found.is_relative_to(root.resolve())
    assert found.name == "x.sarif"


@pytest.mark.parametrize(
    "name", ["../x.sarif", "out/../../x.sarif", "outside/x.sarif", "up/x.sarif", "up/elsewhere/x", "loop/x"]
)
def test_a_path_that_leaves_the_workspace_is_refused_by_its_inputs_name(root: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="the input analyzer-sarif names"):
        place(root, Path(name), name="analyzer-sarif")
    if ".." not in name:
        # An absolute path may not get around the links of the workspace either.
        with pytest.raises(ConfigError):
            place(root, root / name, name="analyzer-sarif")


def test_an_absolute_path_elsewhere_is_the_workflows_own_word(root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "x.sarif"
    assert place(root, elsewhere, name="sarif-file") == elsewhere


def test_a_folder_is_no_file_to_write(root: Path) -> None:
    with pytest.raises(ConfigError, match="a directory"):
        settled(Inputs(sarif_file=Path("out")), {"GITHUB_WORKSPACE": str(root)})
