"""Orders from the open platform: the windows to read, reliable reads of one window, and the coverage of a period."""
