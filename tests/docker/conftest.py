"""One real engine for all tests here, with the image of the pin `cpu` from docker/; skipped where none can run."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Callable, Iterator, List, Optional

import pytest

from harness.host.bench import Outcome, bench
from harness.host.block import Block
from harness.host.boards import Entry, open_in_containers
from harness.host.containers import image, pins
from harness.host.containers.board import ContainerBoard
from harness.host.containers.daemon import Daemon
from harness.host.plan import Plan
from harness.host.progress import Progress
from harness.host.request import Request
from tests.docker.engines import NEEDED, Engine, NoEngine, import_base, why_not

ROOT = Path(__file__).resolve().parents[2]
QUIET = Progress(quiet=True)
PLAN = Plan(
    title="test",
    experiments=[Block(models=["yolov5n@64"], backends=["onnxruntime"], threads=[1])],
    rounds=2,
    warmup=2,
    iterations=10,
    max_seconds=5.0,
)


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    reason = why_not()
    if reason and os.environ.get(NEEDED):
        raise pytest.UsageError(f"{NEEDED} is set, and no engine can be started: {reason}")
    for item in items:
        if "tests/docker" in str(item.fspath):
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.timeout(600))
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """HARNESS_TEST_ENGINE names a folder whose images are used again, for who runs these tests often."""
    kept = os.environ.get("HARNESS_TEST_ENGINE")
    root = Path(kept) if kept else tmp_path_factory.mktemp("engine")
    found = Engine(root)
    try:
        found.start()
        import_base(found, tmp_path_factory.mktemp("base"))
        with contextlib.closing(Daemon("test", found.address)) as daemon:
            image.ensure(daemon, "cpu", pins.load().get("cpu"), QUIET)
        yield found
    except NoEngine as error:
        if os.environ.get(NEEDED):
            raise
        pytest.skip(str(error))
    finally:
        found.end()
        if not kept:
            shutil.rmtree(str(root), ignore_errors=True)


@pytest.fixture()
def clean(engine: Engine) -> Iterator[None]:
    """Whatever happens to a run, nothing of a cell and nobody's hold is left on the engine."""
    yield
    client = engine.client()
    left = [container.name for container in client.containers.list(all=True)]
    cells = client.volumes.list(filters={"label": "jetson-inference-harness.role=cell"})
    client.close()
    assert left == []
    assert cells == []


Measure = Callable[..., Outcome]


@pytest.fixture()
def measure(engine: Engine, models_dir: Path, tmp_path: Path) -> Measure:
    """A bench on the engine, or on boards given."""

    def run(plan: Plan = PLAN, boards: Optional[List[ContainerBoard]] = None, **more: object) -> Outcome:
        asked = Request(
            plan=plan,
            plan_name="test",
            command="make bench",
            models_dir=models_dir,
            results=tmp_path / "results",
            **more,
        )
        with contextlib.ExitStack() as stack:
            asked_of = boards or [board(engine.address)]
            for one in asked_of:
                stack.callback(one.close)
            return bench(asked, asked_of, QUIET)

    return run


def board(address: str, name: str = "local", memory_mb: Optional[int] = None) -> ContainerBoard:
    return open_in_containers(name, Entry(docker=address, memory_mb=memory_mb), "cpu", QUIET)
