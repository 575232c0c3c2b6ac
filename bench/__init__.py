"""What each step of a month costs, beside the least it could cost on the same machine, data and day."""
