"""Passwords: how they are kept, and which are good enough."""

from argon2 import PasswordHasher

MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
"""Of argon2id: the least that OWASP asks for; about 40 ms."""
SHORTEST = 12
"""Characters of a password."""


def hashed(password: str) -> str:
    """A password as it is kept."""
    return PasswordHasher(memory_cost=MEMORY_KIB, time_cost=PASSES, parallelism=LANES).hash(password)
