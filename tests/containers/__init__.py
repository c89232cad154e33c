"""Tests of the container side that need no Docker engine."""
