"""Who did what, when, to what: append-only, each event chained to the one before."""
