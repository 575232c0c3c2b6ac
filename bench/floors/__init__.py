"""Floors: the minimal cost of each step, in hand-written SQL. They import nothing of the product (bench.purity)."""
