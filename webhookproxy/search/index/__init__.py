"""The search index: its tables, and the code that fills it."""
