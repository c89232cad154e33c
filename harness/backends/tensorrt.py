"""TensorRT, from 8.4 to 11: what it offers is asked of the module, never read from its version.

An engine is `model.engine`, and beside it `layers.json` (what the inspector shows of it) and caches for later builds.
"""

import contextlib
import os
import re
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

from harness import device as devices
from harness.backends import _contract, _tensorrt_build, _tensorrt_load, _tensorrt_module, _tensorrt_options
from harness.backends._contract import Built, Materials
from harness.backends._tensorrt_messages import messages
from harness.backends._tensorrt_run import Runner
from harness.errors import Unsupported
from harness.records import BuildOptions, InferenceOptions

RELEASE = Path("/etc/nv_tegra_release")
OUTSIDE_L4T = "HARNESS_L4T"
"""Variable of the environment by which a container learns its board's L4T, whose file it cannot see."""


class Backend(_contract.Backend):
    precisions = frozenset({"fp32", "tf32", "fp16", "int8"})
    options = _tensorrt_options.NAMES
    builds_vary = True
    modules: Tuple[str, ...] = ("tensorrt",)
    """The names it is imported by, the first that is there."""
    product = "TensorRT"

    def version(self) -> str:
        return str(_tensorrt_module.load(*self.modules).__version__)

    def architecture(self) -> str:
        """Compute capability and L4T: an engine is at home on no other; raises Unsupported where no device is."""
        major, minor = devices.present().compute_capability
        l4t = board_l4t()
        return f"sm_{major}{minor}" + (f", L4T {l4t}" if l4t else "")

    def io_memory(self) -> List[str]:
        return list(devices.IO_MEMORY)

    def variant(self, options: BuildOptions) -> str:
        asked = _tensorrt_options.read(options)
        words = [f"DLA {asked.dla_core}" if asked.dla_core is not None else ""]
        words += [asked.calibrator if options.precision == "int8" else ""]
        words += [f"level {asked.optimization_level}" if asked.optimization_level is not None else ""]
        return ", ".join(filter(None, words))

    def build(self, materials: Materials, options: BuildOptions, engine_dir: Path) -> Built:
        trt = _tensorrt_module.load(*self.modules)
        with self._device() as device:
            return _tensorrt_build.build(trt, self.product, device, materials, options, engine_dir)

    def load(self, engine_dir: Path, inference: InferenceOptions) -> Runner:
        trt = _tensorrt_module.load(*self.modules)
        try:
            device = devices.open_device()
        except Unsupported as error:
            raise Unsupported(f"{_tensorrt_load.NO_DEVICE} ({error})") from error
        with contextlib.ExitStack() as stack:
            stack.callback(device.close)
            if inference.io_memory not in devices.IO_MEMORY:
                offered = ", ".join(devices.IO_MEMORY)
                raise Unsupported(f"inputs and outputs of {self.product} lie in {offered}, not {inference.io_memory}")
            said = messages(trt)
            engine = _tensorrt_load.engine(trt, self.product, engine_dir, said)
            runner = Runner(trt, engine, device, inference, said)
            stack.pop_all()  # the runner closes it
            return runner

    @contextlib.contextmanager
    def _device(self) -> Iterator[Optional[Any]]:
        """What a build times its kernels on."""
        with devices.open_device() as device:
            yield device


def board_l4t(root: Path = Path("/")) -> str:
    """`35.4.1`; empty on a machine that is no Jetson."""
    handed = os.environ.get(OUTSIDE_L4T)
    if handed:
        return handed
    try:
        text = (root / RELEASE.relative_to("/")).read_text()
    except OSError:
        return ""
    found = re.search(r"#\s*R(\d+)\s*\(release\),\s*REVISION:\s*(\d+(?:\.\d+)*)", text)
    return f"{found.group(1)}.{found.group(2)}" if found else ""
