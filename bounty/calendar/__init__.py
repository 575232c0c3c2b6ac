"""The month's calendar: the slots that are due, and the jobs that do each slot once, late or not, by any worker."""
