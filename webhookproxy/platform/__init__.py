"""3C Plus over REST: what it has on record, asked at a pace that it bears."""
