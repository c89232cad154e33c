"""A stand-in for TensorRT on machines that cannot run one: strict where TensorRT's documents say what a caller must.

It has the names of one version and no others (`names.toml`), objects to what breaks a rule (`rules.toml`, each with its
source), and its engines copy their inputs into their outputs through the harness's own device: plain memory in tests
without a GPU, a real one's in `tests/gpu`. It computes nothing else: speed and accuracy are not its business.
"""

from tests.stand_in_tensorrt.module import VERSIONS, Module
from tests.stand_in_tensorrt.rules import RULES, Violation
from tests.stand_in_tensorrt.work import CudaWork, PlainWork, Work

__all__ = ["RULES", "VERSIONS", "CudaWork", "Module", "PlainWork", "Violation", "Work"]
