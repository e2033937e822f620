"""A week of a busy relay, a million events of it, and how fast its lists are."""
