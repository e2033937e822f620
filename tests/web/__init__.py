"""The pages, as somebody with a browser uses them."""
