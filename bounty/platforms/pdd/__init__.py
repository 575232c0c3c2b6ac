"""The open platform: how a call is signed and made, and what each refusal asks for. Knows nothing of our books."""
