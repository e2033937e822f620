"""Charts: bars and lines over time, drawn by one template."""
