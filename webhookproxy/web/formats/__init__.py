"""A webhook's format: chosen, put together by clicking, previewed and saved."""
