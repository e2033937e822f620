"""What goes out: lanes, schedules, and the one place where a request leaves."""
