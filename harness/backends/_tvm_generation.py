"""Which of TVM's two generations is there, asked of TVM itself and never of its version number.

Today's is 0.25 and newer. The earlier one is 0.18 and 0.19, which JetPack 5 gets for its Python 3.8 and gcc 9. Both do
what `Generation` says, each in its own words: `_tvm_today.py` and `_tvm_earlier.py`.
"""

import functools
import importlib
from typing import Any, ContextManager, Dict, Optional, Protocol, Set, Tuple

from harness.errors import Unsupported

SOURCE = "source"
"""What becomes of CUDA kernels where TVM leaves their source in the engine, to be compiled where it is loaded."""

CUDA_LIMITS = {
    "max_shared_memory_per_block": 49152,
    "max_threads_per_block": 1024,
    "thread_warp_size": 32,
    "registers_per_block": 65536,
}
"""As TVM's own tags have it of every Jetson since Xavier, and as a device that is there says it. An architecture's name
alone brings none of them, and default schedules (DLight's GEMV) and the rules of tuning raise where one is absent."""

TODAY = ("compile", "runtime.from_dlpack", "runtime.empty")
EARLIER = ("nd.from_dlpack", "nd.empty", "relax.build", "relax.VirtualMachine")


class Generation(Protocol):
    """What the two name differently. Modules are IRModules of Relax, tensors and devices are TVM's."""

    PLACES: Dict[str, str]
    """Where those packages are that have moved, by the names that `part` takes."""

    def version(self) -> str:
        """As the key of an engine has it."""
        ...

    def imported(self, graph: Any) -> Any:
        """The Relax module of an ONNX model; its weights are constants. Raises what TVM raises; may change `graph`."""
        ...

    def compiled(self, module: Any, target: Any, pipeline: Optional[str] = "default") -> Any:
        """An executable by TVM's default passes, on CUDA with DLight's default schedules; it has `export_library`.
        None takes the module as it is: all passes of Relax have been run."""
        ...

    def kernels(self) -> str:
        """What becomes of CUDA kernels in a build: SOURCE, or `compiled by` whom. Raises Unsupported if by nobody."""
        ...

    def choose_compiler(self) -> str:
        """Of CUDA kernels, where nobody has chosen one; its name. Raises Unsupported where there is none."""
        ...

    def cuda_target(self, architecture: str) -> Any:
        """A CUDA target without a host, of an architecture like `sm_72`, with all that default schedules ask it."""
        ...

    def empty(self, shape: Tuple[int, ...], dtype: str, device: Any) -> Any:
        """A tensor whose values are anything."""
        ...

    def shared(self, dlpack: Any) -> Any:
        """A tensor over the memory of an object with `__dlpack__`, nothing copied."""
        ...

    def address(self, tensor: Any) -> int:
        """Of a tensor's first element."""
        ...

    def on_stream(self, device: Any, handle: int) -> ContextManager[Any]:
        """Within it, this thread's kernels and timers of TVM go to the CUDA stream of that handle."""
        ...


def kind(there: Set[str]) -> str:
    """`today` or `earlier`, by which of TODAY's and EARLIER's names there are; empty where it is neither."""
    if there.issuperset(TODAY):
        return "today"
    return "earlier" if there.issuperset(EARLIER) and not there & set(TODAY) else ""


def present(tvm: Any) -> Set[str]:
    """Which names of TODAY and EARLIER that TVM has."""
    return {name for name in {*TODAY, *EARLIER} if _reached(tvm, name) is not None}


def _reached(start: Any, dotted: str) -> Any:
    found = start
    for part in dotted.split("."):
        found = getattr(found, part, None)
    return found


@functools.lru_cache(maxsize=None)
def generation() -> Generation:
    """Of the TVM of this process. Raises Unsupported where it is of neither."""
    import tvm
    import tvm.relax

    found = kind(present(tvm))
    if found == "today":
        from harness.backends import _tvm_today

        return _tvm_today
    if found == "earlier":
        from harness.backends import _tvm_earlier

        return _tvm_earlier
    raise Unsupported(f"TVM {tvm.__version__} is of no generation known here: those are 0.18, 0.19, and 0.25 or newer")


def part(name: str) -> Any:
    """A package of TVM's that lies elsewhere in each generation: `cc`, `dlight`, `meta_schedule`, `tir` (expressions),
    `schedule` (of loops), or `schedule_transform` (passes over scheduled functions)."""
    return importlib.import_module(generation().PLACES[name])


def dtype(expression: Any) -> str:
    """Of what a Relax expression computes; up to 0.25 its type was called its struct info."""
    typed = expression.ty if hasattr(expression, "ty") else expression.struct_info
    return str(typed.dtype)


def number(value: Any) -> float:
    """Of a constant of Relax, in however many boxes it lies."""
    while hasattr(value, "value"):
        value = value.value
    return float(value)
