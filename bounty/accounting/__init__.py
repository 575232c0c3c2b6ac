"""Reconciliation, closing a period, and a promoter's payment statement."""
