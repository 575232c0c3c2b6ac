"""The platforms whose orders the programme counts; one folder each."""
