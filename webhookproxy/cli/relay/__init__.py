"""Commands for companies, webhooks and deliveries."""
