"""Random faults over a live stream, and the account of it: `bin/torture`."""
