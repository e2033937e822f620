"""What an event is: functions of their arguments, without a database."""
