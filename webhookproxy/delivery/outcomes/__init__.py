"""What an answer means: the schedules, and the results in the database."""
