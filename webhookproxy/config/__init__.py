"""Settings: where they come from, what they must be, and the keys of an installation."""
