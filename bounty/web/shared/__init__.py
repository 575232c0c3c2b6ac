"""Shared by the pages of all roles: access, language, tables, formats, and the site's infrastructure."""
