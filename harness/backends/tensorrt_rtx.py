"""TensorRT-RTX, NVIDIA's product for GeForce and RTX GPUs: TensorRT's classes by another name, and no TensorRT.

It parses and builds on any x86-64 machine and chooses its kernels on the device, at load. A plan that asks for
`tensorrt` where only this is installed gets it, called by its own name everywhere and never the baseline.
"""

import contextlib
import platform
from typing import Any, Iterator, Optional

from harness import device as devices
from harness.backends import tensorrt
from harness.errors import Unsupported


class Backend(tensorrt.Backend):
    modules = ("tensorrt_rtx", "tensorrt_rtx_bindings")
    product = "TensorRT-RTX"
    builds_vary = False
    """It times nothing while it builds."""

    def version(self) -> str:
        return f"tensorrt-rtx {super().version()}"

    def architecture(self) -> str:
        """An engine is for every GPU that the product knows, whichever machine builds it."""
        return f"{platform.machine()}, any RTX GPU"

    @contextlib.contextmanager
    def _device(self) -> Iterator[Optional[Any]]:
        with contextlib.ExitStack() as stack:
            try:
                device = stack.enter_context(devices.open_device())
            except Unsupported:
                device = None
            yield device
