"""Stage 5: once the cutoff has passed: who passed, and what each order earns."""
