"""Copies of the books that were proved to be good, and books made of such a copy."""
