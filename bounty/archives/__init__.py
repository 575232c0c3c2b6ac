"""Received rows of closed months: moved into archives, and restored from them."""
