"""The files of a deployment, read."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def dockerfile() -> ModuleType:
    """The module `tests/deploy/dockerfile.py`."""
    spec = importlib.util.spec_from_file_location("spark_dockerfile", Path(__file__).with_name("dockerfile.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """`compose.yaml`."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text())
