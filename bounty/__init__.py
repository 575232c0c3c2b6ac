"""A tracker for monthly affiliate bounty tasks: orders in, targets judged, results published. Map: README.md here."""
