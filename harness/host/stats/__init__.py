"""What samples say: pure functions from nanoseconds to figures, each with its formula and source."""
