"""Orders from the open platform: which spans to read, reading each so that none is missed, and what is covered."""
