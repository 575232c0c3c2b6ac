"""The open platform of 多多进宝: client, request signing, error codes, and the formats of its orders.

The modules import nothing of the database or of the programme's rules.
"""
