"""Users, invitations, log-in."""
