"""A stand-in for the open platform, to run and to test against: the live one has no sandbox.

Made from what is documented of the platform, not from our client: it imports nothing of it, nor the client of this.
"""
