"""Alerts: where people are told, what they want to be told of, what is wrong, and what was told."""
