"""From the states of companies and webhooks to alerts that begin and end."""
