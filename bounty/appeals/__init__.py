"""A promoter asks about an order or a result, and operations answer with a reason."""
