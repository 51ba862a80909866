"""Resources under /api/v1, one file per resource: schema, routes, nothing else. Every route needs a key and a scope."""
