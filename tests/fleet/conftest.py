"""Hand-made candidates, and servers of this machine that play boards: real processes of TVM's, a few at a time."""

import shutil
import subprocess
from pathlib import Path
from typing import Dict, Iterator

import pytest

from tests.fleet.boards import KINDS, Ground


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """Each a shared library as TVM makes them, with one function; what that does stands in KINDS."""
    pytest.importorskip("tvm", reason="TVM publishes no wheel for this Python")
    pytest.importorskip("tornado", reason="TVM's tracker needs tornado")
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    folder = tmp_path_factory.mktemp("libraries")
    for name, body in KINDS.items():
        source = folder / f"{name}.cc"
        source.write_text(
            "#include <cstdlib>\n#include <unistd.h>\n"
            f'extern "C" int __tvm_ffi_main(void*, void*, int, void*) {{ {body} }}\n'
        )
        subprocess.run(["g++", "-shared", "-fPIC", "-o", str(folder / f"{name}.so"), str(source)], check=True)
    return {name: folder / f"{name}.so" for name in KINDS}


@pytest.fixture()
def ground(libraries: Dict[str, Path], tmp_path: Path) -> Iterator[Ground]:
    with Ground(tmp_path, libraries).opened() as found:
        yield found
