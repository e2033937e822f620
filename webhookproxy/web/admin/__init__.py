"""Users, audit and privacy: pages for administrators."""
