"""Companies and webhooks are created, edited and deleted, as declared data."""
