"""The processes of an installation: each writes what it does, and any of them reads it."""
