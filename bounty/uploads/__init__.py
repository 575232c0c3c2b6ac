"""Files on their way in: uploaded, tried, then imported in the background."""
