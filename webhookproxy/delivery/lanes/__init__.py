"""One lane per webhook: what is sent next, and when."""
