"""In the browser: what people do when something did not arrive."""
