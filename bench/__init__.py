"""Benchmarks: the cost of each step of a month, and of a hand-written minimum (floor) on the same machine and data."""
