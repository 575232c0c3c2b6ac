"""A stand-in for the open platform, for tests and trial runs, because the live platform has no sandbox.

It is written from the platform's documents and not from our client. Neither imports the other, so that a
misunderstanding in one is not repeated in the other.
"""
