"""webhookproxy: every 3C Plus event becomes a signed POST."""
