"""`python -m harness.sensors FOLDER`: samples until a line on standard input says stop, as `exchange.py` has it."""

import os
import select
import sys
from pathlib import Path

from harness import upgrades
from harness.sensors import sampler
from harness.sensors.exchange import JOB, SamplerJob


def stop(seconds: float) -> bool:
    """Ends the process at once where whoever started it is gone: then nobody reads what it would write."""
    if not select.select([0], [], [], seconds)[0]:
        return False
    if not os.read(0, 64):
        os._exit(0)
    return True


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m harness.sensors FOLDER")
    folder = Path(sys.argv[1])
    sampler.run(folder, upgrades.read(folder / JOB, SamplerJob), stop)
    os._exit(0)  # a thread that hangs in the kernel must not hold up the end
