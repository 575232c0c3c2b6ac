"""The payer's result files: read, matched to payouts, recorded."""
