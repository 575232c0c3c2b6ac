"""The promoter's pages."""
