"""The fault matrix: each test carries the number of its row (docs/reliability.md has the table)."""
