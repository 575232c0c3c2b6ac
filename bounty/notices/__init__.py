"""Stage 6: what everybody is told: numbered, frozen, corrected only by a later number."""
