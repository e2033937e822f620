"""Commands for backups, keys, the search index and privacy."""
