"""Tuning as the host sees it: where records lie, the job that makes them, and the proof that a tuned engine is one."""
