"""Rows about the installation itself: its lease, its changes, its keys."""
