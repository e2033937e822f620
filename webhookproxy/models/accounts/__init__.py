"""People, their logins and their second factors."""
