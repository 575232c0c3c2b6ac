"""Stage 6: the published notices: numbered, frozen, corrected only by a later number."""
