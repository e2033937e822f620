"""Companies: the list, the form, one company."""
