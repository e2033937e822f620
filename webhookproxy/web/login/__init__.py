"""Login, passwords and the second factor."""
