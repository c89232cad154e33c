"""A real CUDA device for every test of this folder, or the reason why there is none; figures at the end.

`python -m harness test-gpu [--figures FILE]` is the one command.
"""

import platform
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness.device import BINDINGS, Device, open_device, present
from harness.errors import Unsupported
from harness.host.progress import Progress
from harness.host.selfbench.ground import Place
from tests.gpu.figures import Figures
from tests.gpu.kernels import Kernels

FIGURES = Figures()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--figures", type=Path, help="where the measured figures are written to, as JSON")
    parser.addoption("--tuning-records", type=Path, help="folder whose trial log a call goes on with")
    parser.addoption("--tuning-seconds", type=float, default=400.0, help="of tuning in this call, at most")


def pytest_collection_modifyitems(items: "list[pytest.Item]") -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.gpu)


def pytest_configure(config: pytest.Config) -> None:
    FIGURES.path = config.getoption("--figures", None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not FIGURES.rows:
        return
    terminalreporter.section("figures")
    for line in FIGURES.lines():
        terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def machine() -> str:
    try:
        found = str(present())
    except Unsupported as error:
        pytest.skip(str(error))
    FIGURES.add("machine", "device", found)
    FIGURES.add("machine", "python", platform.python_version())
    return found


@pytest.fixture(scope="session")
def place(models_dir: Path, tmp_path_factory: pytest.TempPathFactory, tvm: Any) -> Place:
    """Where engines of TVM are made and measured."""
    return Place(models_dir, tmp_path_factory.mktemp("results"), Progress(quiet=True))


@pytest.fixture
def figures() -> Figures:
    return FIGURES


@pytest.fixture(params=BINDINGS)
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    try:
        one = open_device(binding=request.param)
    except Unsupported as error:
        pytest.skip(str(error))
    with one:
        yield one


@pytest.fixture
def kernels(device: Device) -> Iterator[Kernels]:
    loaded = Kernels()
    yield loaded
    loaded.close()


@pytest.fixture
def binding(device: Device) -> str:
    return type(device._binding).__name__
