"""The settings and the keys of an installation."""
