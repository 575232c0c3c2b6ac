"""Tokens of the API: issued, recognised, counted; and requests that take effect once."""
