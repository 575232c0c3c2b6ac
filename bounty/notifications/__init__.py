"""Telling people: an outbox written with its cause, sent afterwards by mail and to one signed webhook."""
