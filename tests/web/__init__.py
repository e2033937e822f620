"""The pages, as a visitor with a browser uses them."""
