"""Finds events by their contents, with an index that can be rebuilt at any time."""
