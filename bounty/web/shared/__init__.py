"""What the pages of all readers use."""
