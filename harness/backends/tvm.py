"""TVM's Relax, untuned or tuned: for the CUDA device that is there, else for the CPU, or for what a plan names."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from pathlib import Path
from typing import List

from harness import cpu
from harness.backends import _contract, _tvm_build, _tvm_generation, _tvm_target
from harness.backends._contract import Built, Materials, Telling
from harness.device import IO_MEMORY, open_device
from harness.errors import BuildError, Unsupported
from harness.jobs import Tuned, TuneJob
from harness.records import BuildOptions, InferenceOptions

FACTS = "with targets"
"""Changes what identifies this runtime whenever it tells another set of facts."""


class Backend(_contract.Backend):
    precisions = frozenset({"fp32", "fp16"})
    variants = ("untuned", "tuned")
    compiles_for = True

    def version(self) -> str:
        if importlib.util.find_spec("tvm") is None:
            running = f"{sys.version_info[0]}.{sys.version_info[1]}"
            if sys.version_info < (3, 10):
                raise Unsupported(f"TVM publishes no wheel for Python {running} (3.10 or newer has one)")
            raise Unsupported(f"tvm is not installed for Python {running}")
        return _tvm_generation.generation().version()

    def identity(self) -> str:
        if _tvm_target.gpu_present():
            return ""  # whether TVM reaches it depends on libraries that only TVM itself looks for
        try:
            versions = [importlib.metadata.version(name) for name in ("apache-tvm", "apache-tvm-ffi")]
        except importlib.metadata.PackageNotFoundError:  # built from source, or not there
            return ""
        seen = [*versions, sys.version, platform.machine(), cpu.model(), cpu.features(), FACTS]
        return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:16]

    def architecture(self) -> str:
        return _tvm_target.architecture()

    def targets(self) -> List[str]:
        return _tvm_target.targets()

    def io_memory(self) -> List[str]:
        # The host's own is for engines that a plan's target puts on the CPU of a machine with a GPU.
        return [*IO_MEMORY, "host"] if _tvm_target.cuda_device() is not None else ["host"]

    def variant(self, options: BuildOptions) -> str:
        return f"{options.variant or self.variants[0]}, {_tvm_target.words(options.target)}"

    def build(self, materials: Materials, options: BuildOptions, engine_dir: Path) -> Built:
        return _tvm_build.build(materials, options, engine_dir)

    def tune(self, job: TuneJob, telling: Telling) -> Tuned:
        from harness.backends._tvm_tuning import verb

        return verb.tune(job, telling)

    def load(self, engine_dir: Path, inference: InferenceOptions) -> _contract.Runner:
        layout = json.loads((engine_dir / _tvm_build.TENSORS).read_text())
        on_cuda = layout.get("kind") == "cuda"
        machine, architecture = layout.get("machine", platform.machine()), layout.get("architecture", "")
        _tvm_target.check_here("this engine", machine, "cuda" if on_cuda else "llvm", architecture)
        if inference.cuda_graph is True and not on_cuda:
            raise Unsupported("tvm: a CUDA graph needs a CUDA device, and this engine is for the CPU")
        if (inference.io_memory == "host") is on_cuda:
            takes = ", ".join(IO_MEMORY) if on_cuda else "host"
            where = "a CUDA device" if on_cuda else "the CPU"
            raise Unsupported(f"tvm: inputs of an engine for {where} lie in {takes} memory, not {inference.io_memory}")
        # Read once, when TVM's thread pool starts; it counts the calling thread.
        os.environ["TVM_NUM_THREADS"] = str(inference.threads)
        import tvm
        import tvm.relax

        running = tvm.get_global_func("runtime.NumThreads")()
        if running != inference.threads:
            raise BuildError(f"tvm runs {running} threads where {inference.threads} were asked for")
        generation = _tvm_generation.generation()
        library = engine_dir / _tvm_build.LIBRARY
        if not on_cuda:
            from harness.backends import _tvm_cpu

            return _tvm_cpu.Runner(tvm, generation, library, layout)
        from harness.backends import _tvm_cuda

        if layout["kernels"] == _tvm_generation.SOURCE:
            generation.choose_compiler()
        device = open_device()
        try:
            return _tvm_cuda.Runner(tvm, generation, library, layout, inference, device)
        except BaseException:
            device.close()
            raise
