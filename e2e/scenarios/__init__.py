"""What the end-to-end tests are written in: the API server, tenants with services, the installed operator, load."""
