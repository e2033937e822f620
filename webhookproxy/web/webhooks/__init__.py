"""Webhooks: one of them, its form, its secret, its state."""
