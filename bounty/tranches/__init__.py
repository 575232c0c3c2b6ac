"""Tranches: what is due, prepared, approved and exported to payers."""
