"""One candidate as a file: how its scheduled module travels, is compiled, loaded and timed. Runs in child processes."""

import functools
import json
import math
from typing import Any, List, Sequence, Tuple

from harness.backends._tvm_build import first_line
from harness.backends._tvm_generation import generation, part
from harness.backends._tvm_tuning.meter import ArgInfo, Settings

__all__ = ["Loaded", "build", "first_line", "spell_target", "target_from"]


def spell_target(target: Any) -> Any:
    """JSON of a target, its host included."""
    return json.loads(json.dumps(_plain(target.export())))


def _plain(value: Any) -> Any:
    if hasattr(value, "items"):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    if hasattr(value, "__len__"):  # TVM 0.19's arrays have no __iter__
        return [_plain(one) for one in value]
    if hasattr(value, "value"):
        return _plain(value.value)
    return str(value)


def target_from(spelled: Any) -> Any:
    import tvm

    return tvm.target.Target(spelled)


def build(module_text: str, target: Any, path: str, linker: str) -> None:
    """Writes a shared library; raises whatever TVM and the linker raise."""
    import tvm

    module = tvm.ir.load_json(module_text)
    # Weights are laid out anew when the engine is built, outside of what is timed (`prepared.py`).
    # What the pass is told, to leave tensors as they are, has another name in each generation.
    module = part("schedule_transform").RemoveWeightLayoutRewriteBlock(True)(module)
    built = tvm.build(module, target=target)
    built.export_library(path, fcompile=functools.partial(part("cc").create_shared, cc=linker))


class Loaded:
    """A process that times candidates on one device; arguments are kept from one candidate of a task to the next."""

    def __init__(self, kind: str, index: int) -> None:
        import tvm

        self._tvm = tvm
        self.device = tvm.device(kind, index)
        self._fill = tvm.get_global_func("tvm.contrib.random.random_fill_for_measure")
        self._key, self._arguments = "", ()

    def times_s(self, library: str, args_info: Sequence[ArgInfo], settings: Settings) -> Tuple[float, ...]:
        """Seconds of one call, a repeat an entry; raises whatever a candidate brings about."""
        module = self.module(library)
        arguments = self._filled(args_info)
        name = module.entry_name
        least_s = settings.min_repeat_s

        def timed(about_s: float, repeats: int, at_least_s: float = least_s) -> Tuple[float, ...]:
            """The evaluator calls once before all this, untimed. Where a call takes less than is said here it times
            the repeat anew, so that a few calls more than needed cost less than too few."""
            number = math.ceil(1.1 * at_least_s / max(about_s, 1e-7)) or 1
            times = module.time_evaluator(
                name, self.device, number=number, repeat=repeats, min_repeat_ms=int(at_least_s * 1e3)
            )
            return tuple(float(one) for one in times(*arguments).results)

        (first,) = timed(least_s, 1, 0.0)
        if first > settings.hopeless_s:
            return (first,)
        if first < least_s:
            (first,) = timed(first, 1)
        if settings.repeats == 1 or first > settings.poor_s:
            return (first,)
        return (first, *timed(first, settings.repeats - 1))

    def module(self, library: str) -> Any:
        return self._tvm.runtime.load_module(library)

    def _filled(self, args_info: Sequence[ArgInfo]) -> Tuple[Any, ...]:
        key = json.dumps(args_info)
        if key != self._key:
            self._arguments = ()
            filled: List[Any] = []
            one: Any
            for one in args_info:
                kind, dtype, shape = one
                if kind != "TENSOR":
                    raise ValueError(f"an argument of kind {kind} cannot be made up")
                tensor = generation().empty(tuple(shape), dtype, self.device)
                self._fill(tensor)
                filled.append(tensor)
            self.device.sync()
            self._key, self._arguments = key, tuple(filled)
        return self._arguments

    def sound(self) -> bool:
        """Whether the device still works: an error of a CUDA kernel stays with its context."""
        try:
            generation().empty((1,), "float32", self.device)
            self.device.sync()
        except Exception:
            return False
        return True
