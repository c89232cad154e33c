"""Tests of the history of runs: real files, the real database."""
