"""Looking ahead: what other terms would have given in months whose orders are known."""
