"""The fault matrix: one test or more for each row, over what the bench's oracle counts."""
