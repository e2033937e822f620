"""What is removed by itself: old rows, and rows that need disk space."""
