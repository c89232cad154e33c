"""Inference benchmark harness for NVIDIA Jetson: builds engines, measures them fairly, reports what holds."""

__version__ = "0.1.0"
