"""What waits for one webhook: how it is read, in what order it goes, and what is kept in memory."""
