"""Guests: the links that are made for them, the way in, and the pages that they see."""
