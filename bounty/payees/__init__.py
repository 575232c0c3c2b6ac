"""7 what finance pays: tranches that add up to the notices, to payees that two people stand for."""
