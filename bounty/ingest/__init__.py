"""Batches of received rows, quarantine, and correction files."""
