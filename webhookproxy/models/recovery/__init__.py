"""What is known of the histories of calls, and the requests for those that are missing."""
