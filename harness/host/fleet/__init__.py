"""Boards that measure for a tuning job on this machine: whether they can, and their servers while it lasts."""
