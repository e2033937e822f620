"""The guarded HTTP client: whatever this program asks of others over HTTP goes through here."""
