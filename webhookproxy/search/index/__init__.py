"""The search index: its tables, and how it is filled."""
