"""The API for programs, under ``/api/v1``: bearer tokens, JSON, problems by RFC 9457; views as thin as the pages'."""
