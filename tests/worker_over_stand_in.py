"""A worker's process in which `tensorrt` is the stand-in of one version, over a device of plain memory.

Started as `python -m tests.worker_over_stand_in VERSION -m harness.worker VERB FOLDER`: what follows the version is
what a host passes to its interpreter.
"""

import runpy
import sys

import pytest

from tests import plain_device
from tests.stand_in_tensorrt import Module, PlainWork
from tests.stand_in_tensorrt.given import give

DEVICE_NS = 1_000
"""What an inference takes by the device's clock: less than any host needs for the copies that it is made of."""


def main() -> None:
    version, dash, module, *arguments = sys.argv[1:]
    assert (dash, module) == ("-m", "harness.worker"), sys.argv
    plain_device.STEP_MS = DEVICE_NS / 2 / 1e6  # an inference is two pieces of work on its stream
    work = PlainWork()
    give(pytest.MonkeyPatch(), Module(version, work), work)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
