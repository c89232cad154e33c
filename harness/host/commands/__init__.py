"""The verbs of `python -m harness`, one file each."""
