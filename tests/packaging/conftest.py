"""The wheel, built once, and an environment that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.environments import PROJECT, Environment, build


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(PROJECT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel, with Prefect."""
    environment = Environment.made(tmp_path_factory.mktemp("installed") / "venv")
    environment.install(wheel)
    environment.share_all()
    return environment
