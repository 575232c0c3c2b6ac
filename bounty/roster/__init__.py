"""Stage 3: who is judged: terms, eligibility, reasons, targets; frozen per period."""
