"""The operations that change nothing."""
