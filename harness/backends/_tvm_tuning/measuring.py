"""The process that times candidates on one device: `python -m harness.backends._tvm_tuning.measuring`."""

import os
import sys
from typing import Any

from harness.backends._tvm_tuning.meter import Settings
from harness.backends._tvm_tuning.wire import Line, keep_to


def main() -> None:
    line = Line()
    messages = line.messages()
    hello = next(messages)
    keep_to(hello["cores"])
    from harness.backends._tvm_tuning import candidate

    loaded = candidate.Loaded(hello["kind"], hello["index"])
    line.say({"ready": {"threads": _threads()}})
    for message in messages:
        line.say({"number": message["number"], **_timed(candidate, loaded, message)})


def _threads() -> int:
    import tvm

    return int(tvm.get_global_func("runtime.NumThreads")())


def _timed(candidate: Any, loaded: Any, message: Any) -> Any:
    try:
        times = loaded.times_s(message["library"], message["args_info"], Settings(*message["settings"]))
    except Exception as error:
        if not loaded.sound():
            # Nothing more can be measured here: the reason goes out, and the next one gets a process of its own.
            print(f"the device's context broke: {candidate.first_line(error)}", file=sys.stderr, flush=True)
            os._exit(1)
        return {"reason": candidate.first_line(error)}
    return {"times": times}


if __name__ == "__main__":
    main()
