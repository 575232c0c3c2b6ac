"""Closing a month: what stands between a draft and its notice, who answers for it, and what comes next."""
