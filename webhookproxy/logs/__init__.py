"""What is printed, and what must never be."""
