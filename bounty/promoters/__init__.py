"""Stage 1: who they are: levels, tenure, violations, links."""
