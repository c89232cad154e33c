"""Tuning of TVM's tasks: a search that survives its candidates. TVM is imported inside functions alone."""
