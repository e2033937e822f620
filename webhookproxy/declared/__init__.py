"""Companies and webhooks as plain data, which files and programs write."""
