"""Hand-made candidates, and servers of this machine that play boards: real processes of TVM's, a few at a time."""

from pathlib import Path
from typing import Dict, Iterator

import pytest

from harness.fleet import Fleet
from harness.host.fleet import serving
from tests.fleet.boards import Ground, built, server_of


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    return built(tmp_path_factory.mktemp("libraries"))


@pytest.fixture(scope="module")
def ground(libraries: Dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("fleet"), libraries)


@pytest.fixture(scope="module")
def fleet(ground: Ground) -> Iterator[Fleet]:
    """Three boards, whose servers are started again at once when they die."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "AGAIN_S", 0.2)
        with ground.fleet("a", "b", "c") as found:
            yield found
    assert all(server_of(name, ground.folder) is None for name in "abc"), "servers end with the job"
