"""A program that answers as trtexec of one version does, strict in what its flags may be: runs as a real process.

Only flags that do something in that version are known: what newer ones merely accept with a warning (`--useSpinWait` in
11) is refused here, since whoever says it expects something of it. Variables of the environment choose:
STAND_IN_VERSION, the number of the banner (8502); STAND_IN_COMPUTE_MS, what an inference takes; STAND_IN_DOES, how it
goes wrong; STAND_IN_TOLD, the file to write its arguments to (its process id, when it hangs).

Facts from samples/common/{sampleOptions,sampleInference,sampleReporting,logging} of NVIDIA/TensorRT, tags 8.2.1, 8.4.3,
8.5.2, v8.6.1, v10.3.0, v10.16, v11.0 and v11.1.
"""

import os
import sys
import time
from pathlib import Path
from typing import Dict, List, Optional, Tuple

Since = Tuple[int, int]
FLAGS: Dict[str, Tuple[Since, Since]] = {
    # name: the first version in which it does what its name says, and the first one in which it no longer does
    "--loadEngine": ((8, 2), (12, 0)),
    "--exportTimes": ((8, 2), (12, 0)),
    "--warmUp": ((8, 2), (12, 0)),
    "--duration": ((8, 2), (12, 0)),
    "--iterations": ((8, 2), (12, 0)),
    "--streams": ((8, 2), (8, 6)),
    "--infStreams": ((8, 6), (12, 0)),
    "--exposeDMA": ((8, 2), (12, 0)),
    "--useManagedMemory": ((8, 2), (12, 0)),
    "--noDataTransfers": ((8, 2), (11, 0)),
    "--includeDataTransfers": ((11, 0), (12, 0)),
    "--useSpinWait": ((8, 2), (11, 0)),
    "--noSpinWait": ((11, 0), (12, 0)),
    "--useCudaGraph": ((8, 2), (11, 0)),
    "--noCudaGraph": ((11, 0), (12, 0)),
    "--useDLACore": ((8, 2), (12, 0)),
    "--shapes": ((8, 2), (12, 0)),
}
VALUED = ("--loadEngine", "--exportTimes", "--warmUp", "--duration", "--iterations", "--streams", "--infStreams")
VALUED += ("--useDLACore", "--shapes")
ENGINE = b"a plan of TensorRT "
"""What an engine file begins with here, its version after it; or it is one of the stand-in for TensorRT."""


def known(version: Since) -> List[str]:
    return [name for name, (since, until) in FLAGS.items() if since <= version < until]


def parse(version: Since, arguments: List[str]) -> Dict[str, str]:
    """Flags to their values; exits as trtexec does for one that it does not know."""
    found: Dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name not in known(version) or bool(equals) != (name in VALUED) or name in found:
            fail(f"Unknown option: {name} {value}")
        found[name] = value
    return found


def say(line: str) -> None:
    print(f"[11/23/2026-10:15:00] {line}", flush=True)


def fail(line: str) -> None:
    say(f"[E] {line}")
    print(f"&&&& FAILED TensorRT.trtexec {banner()} # {' '.join(sys.argv)}")
    sys.exit(1)


def banner() -> str:
    number = os.environ["STAND_IN_VERSION"]
    build = " [b9]" if len(number) == 6 and int(number) >= 101300 else ""
    return f"[TensorRT v{number}]{build}"


def main(arguments: List[str]) -> None:
    does = os.environ.get("STAND_IN_DOES", "")
    number = int(os.environ["STAND_IN_VERSION"])
    if does == "tells no version":
        print("trtexec, built from source")
        return
    print(f"&&&& RUNNING TensorRT.trtexec {banner()} # {' '.join(sys.argv)}", flush=True)
    if arguments == ["--help"]:
        print("=== Model Options ===\n  --onnx=<file>               ONNX model")
        return
    base = 1000 if number < 10_000 else 10_000
    version = (number // base, number % base // 100)
    options = parse(version, arguments)
    if does == "hangs":
        Path(os.environ["STAND_IN_TOLD"]).write_text(str(os.getpid()))
        time.sleep(600)
    Path(os.environ["STAND_IN_TOLD"]).write_text("\n".join(arguments))
    if does == "crashes":
        os.abort()
    spelled = f"{number // base}.{number % base // 100}.{number % 100}".encode()
    engine = Path(options["--loadEngine"]).read_bytes()
    if engine != ENGINE + spelled and b'"version": "' + spelled not in engine:
        fail(f"Error opening engine file: {options['--loadEngine']}")
    if does == "captures no graph":
        say("[W] The built TensorRT engine contains operations that are not permitted under CUDA graph capture mode.")
    count = queries(version, options)
    if does == "runs fewer":
        count -= 30
    from tests import trtexec_derived  # numpy takes long to import, and a banner needs none

    text = trtexec_derived.text(trtexec_derived.times(count, float(os.environ["STAND_IN_COMPUTE_MS"])), version)
    if does == "is cut short":
        text = text[: len(text) // 2]
    if does != "writes nothing":
        Path(options["--exportTimes"]).write_text(text)
    print(f"&&&& PASSED TensorRT.trtexec {banner()} # {' '.join(sys.argv)}")


def queries(version: Since, options: Dict[str, str]) -> int:
    """How many a loop of that version runs that is neither told a warm-up nor a duration."""
    waits: Optional[str] = next((name for name in ("--warmUp", "--duration") if float(options[name]) != 0), None)
    if waits is not None:
        fail(f"{waits} is not 0, so queries are not counted")
    # 11.1 adds the length of a list (refPairs) that has one empty element unless something is put into it.
    return int(options["--iterations"]) + (version >= (11, 1))


if __name__ == "__main__":
    main(sys.argv[1:])
