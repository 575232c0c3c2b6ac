"""Stage 4: how far each promoter is, and why each order counts or not; always computed from the orders."""
