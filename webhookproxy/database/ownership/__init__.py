"""Who owns the shards of companies: the locks, and the leases that they protect."""
