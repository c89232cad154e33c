"""Hand-made candidates, and servers of this machine that play boards: real processes of TVM's, a few at a time."""

from pathlib import Path
from typing import Dict

import pytest

from tests.fleet.boards import Ground, built


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    return built(tmp_path_factory.mktemp("libraries"))


@pytest.fixture()
def ground(libraries: Dict[str, Path], tmp_path: Path) -> Ground:
    return Ground(tmp_path, libraries)
