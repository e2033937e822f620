"""Finds events by what is in them, in a place of its own that can be made anew at any time."""
