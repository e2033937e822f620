"""What is wrong with a webhook, since when and why; and its rate of success."""
