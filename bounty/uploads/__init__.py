"""Uploaded files: storing them, a dry run, and the import in a background process."""
