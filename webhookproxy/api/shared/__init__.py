"""What all operations share: who asks, ids, pages of lists, problems."""
