"""The checks that the books must pass, grouped by what they look at."""
