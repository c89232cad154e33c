"""Floor: the words both sides use. Every record that crosses between worker and host, strict and versioned.

Units stand in names (`_ns`, `_s`, `_bytes`). Python 3.8 evaluates these annotations at run time, so they are written
with `typing` names. A field that came later and decides a hash is `UNSET` where it was not asked for, so that keys and
folder names of older records stay as they are.
"""

from harness.records.engine import Engine, Ingredients
from harness.records.experiment import TUNED, BuildOptions, Experiment, InferenceOptions, Option, SystemOptions
from harness.records.machine import BackendFacts, Container, Machine
from harness.records.record import SCHEMA, Record, canonical, digest
from harness.records.reference import Reference
from harness.records.result import STATUSES, Accuracy, OutputAccuracy, Result
from harness.records.samples import LatencySamples, ThroughputSamples
from harness.records.telemetry import BoardState, Channel, ClockLimits, SamplerCost, Telemetry
from harness.records.verdict import Cause, Verdict

__all__ = [
    "SCHEMA",
    "STATUSES",
    "TUNED",
    "Accuracy",
    "BackendFacts",
    "BoardState",
    "BuildOptions",
    "Cause",
    "Channel",
    "ClockLimits",
    "Container",
    "Engine",
    "Experiment",
    "InferenceOptions",
    "Ingredients",
    "LatencySamples",
    "Machine",
    "Option",
    "OutputAccuracy",
    "Record",
    "Reference",
    "Result",
    "SamplerCost",
    "SystemOptions",
    "Telemetry",
    "ThroughputSamples",
    "Verdict",
    "canonical",
    "digest",
]
