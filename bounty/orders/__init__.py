"""Stage 2: facts come in: files, the fold, what waits in quarantine."""
