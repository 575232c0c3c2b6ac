"""Files as people really have them."""
