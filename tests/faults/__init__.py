"""The fault matrix. Each test has the number of its row in docs/dev/reliability.md."""
