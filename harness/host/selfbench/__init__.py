"""Measures the harness itself: each part is a file with one figure and its bar."""
