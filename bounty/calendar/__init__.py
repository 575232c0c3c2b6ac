"""The month by the calendar: what it asks for, and doing each of it once, however late and by however many workers."""
