"""NVIDIA's trtexec: where it lies, how it tells its version, and what its flags mean in which version.

Only this module knows. The same command line is another measurement in another version: up to 10 data transfers are on
and spin wait and CUDA graph are off, in 11 it is the other way round. So every option is said, whatever the default.
Sources: samples/common/sampleOptions.cpp and logging.h of NVIDIA/TensorRT, tags 8.2.1 to v11.1. No Jetson has confirmed
them to this project yet.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from harness.crosscheck import TrtexecOptions
from harness.errors import BuildError, Unsupported

NAME = "trtexec"
PLACE = Path("/usr/src/tensorrt/bin")
"""Where TensorRT's Debian packages put it, which is on nobody's PATH."""
CURE = (
    "on a board, `sudo apt-get install libnvinfer-bin` brings it; a container has what its image has: JETPACK=none "
    "measures and crosschecks without one"
)
Version = Tuple[int, int, int]
FIRST: Version = (8, 2, 0)
AFTER: Version = (12, 0, 0)
"""The versions whose flags were read: from the first, and before the other."""
VERSION_LIMIT_S = 60.0
PR_SET_PDEATHSIG = 1
NO_GRAPH = "not permitted under CUDA graph capture mode"
"""Printed by every version where it goes on without the graph that it was told to use."""


class Program(NamedTuple):
    path: Path
    place: str


def find(place: Path = PLACE) -> Program:
    """Raises Unsupported where there is none."""
    on_path = shutil.which(NAME)
    if on_path is not None:
        return Program(Path(on_path), "PATH")
    if os.access(str(place / NAME), os.X_OK):
        return Program(place / NAME, str(place))
    raise Unsupported(f"there is no {NAME}, neither on PATH nor in {place}: {CURE}")


def version_of(program: Program, limit_s: float = VERSION_LIMIT_S) -> Version:
    """Asked for its help, it prints a banner first, and needs no device for that.

    Raises Unsupported for one that tells no version, or one whose flags nobody has read.
    """
    text = run(program, ["--help"], limit_s).text
    found = parse_version(text)
    if found is None:
        said = next((line.strip() for line in text.splitlines() if line.strip()), "nothing")
        raise Unsupported(
            f"{NAME} does not tell its version as those of TensorRT 8.2 to 11 do ([TensorRT v...]); its first line is "
            f"{said[:120]!r}. Without it nobody can say what its flags mean"
        )
    if not FIRST <= found < AFTER:
        raise Unsupported(
            f"{NAME} is of TensorRT {spelled(found)}; what its flags mean is known here from {spelled(FIRST)} up to "
            f"{AFTER[0] - 1}.x, and is not guessed"
        )
    return found


def parse_version(text: str) -> Optional[Version]:
    """The banner's number: major * 1000 + minor * 100 + patch up to 9, major * 10000 + minor * 100 + patch from 10.

    (NvInferRuntimeBase.h; a build number may follow in brackets of its own.) None where there is none, or one that is
    neither.
    """
    match = re.search(r"\[TensorRT v(\d+)\]", text)
    if match is None:
        return None
    digits = len(match.group(1))
    if digits not in (4, 6):
        return None
    major, rest = divmod(int(match.group(1)), 1000 if digits == 4 else 10_000)
    return major, rest // 100, rest % 100


def spelled(version: Version) -> str:
    return ".".join(str(part) for part in version)


def flags(version: Version, options: TrtexecOptions) -> List[str]:
    """The command line that makes this version do exactly `options`."""
    streams = "--infStreams" if version >= (8, 6, 0) else "--streams"
    found = [
        f"--warmUp={options.warm_up_ms}",
        f"--duration={options.duration_s}",
        f"--iterations={options.iterations}",
        f"{streams}={options.streams}",
    ]
    if version >= (11, 0, 0):
        switches = [
            ("--includeDataTransfers", options.data_transfers),
            ("--noSpinWait", not options.spin_wait),
            ("--noCudaGraph", not options.cuda_graph),
        ]
    else:
        switches = [
            ("--noDataTransfers", not options.data_transfers),
            ("--useSpinWait", options.spin_wait),
            ("--useCudaGraph", options.cuda_graph),
        ]
    switches += [("--exposeDMA", not options.overlap), ("--useManagedMemory", options.managed_memory)]
    found += [name for name, wanted in switches if wanted]
    if options.dla_core is not None:
        found.append(f"--useDLACore={options.dla_core}")
    if options.shapes:
        quoted = {name: f"'{name}'" if ":" in name or "," in name else name for name in options.shapes}
        found.append("--shapes=" + ",".join(f"{quoted[name]}:{shape}" for name, shape in options.shapes.items()))
    return found


class Ended(NamedTuple):
    code: int
    text: str
    """What it printed, errors among the rest."""


def run(program: Program, arguments: List[str], limit_s: float) -> Ended:
    """Blocks until it ends; raises BuildError where it does not within the limit, or cannot be started."""
    try:
        ended = subprocess.run(
            [str(program.path), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            check=False,
            preexec_fn=_die_with_us,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"{NAME} did not end within {limit_s:g} s and was ended") from None
    except OSError as error:
        raise BuildError(f"{NAME} cannot be started: {error.strerror}") from error
    return Ended(ended.returncode, ended.stdout.decode("utf-8", "replace"))


def why(ended: Ended) -> str:
    """How it ended other than well, with its first error, which mostly is the cause, or else its last line."""
    what = f"status {ended.code}" if ended.code >= 0 else f"signal {-ended.code} ({signal.Signals(-ended.code).name})"
    lines = [line.strip() for line in ended.text.splitlines() if line.strip()]
    errors = [line.partition("[E] ")[2] for line in lines if "[E] " in line]
    said = (errors or lines[-1:] or ["nothing"])[0]
    return f"{NAME} ended with {what}; it said: {said}"


def _die_with_us() -> None:
    """A worker that is killed must not leave it measuring: prctl(2), Linux only, silently nothing elsewhere."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
