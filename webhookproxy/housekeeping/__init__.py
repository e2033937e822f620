"""Rows that the server removes by itself: old ones, and more when the disk fills up."""
