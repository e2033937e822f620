"""Random faults during a live stream, and an account of what arrived: `bin/torture`."""
