"""Floors: each step's least cost, in SQL written by hand. Nothing of the product is imported here (bench.purity)."""
