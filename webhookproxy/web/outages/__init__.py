"""The outages of webhooks: their history, and what the receiver missed in each."""
