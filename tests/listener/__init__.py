"""The incoming half, against a real simulator in a process of its own."""
