"""What proves that the harness works on a board: everything it can do there, done once, and checked."""
