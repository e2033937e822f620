"""From one owner of the sockets to the next without a time in which no one listens."""
