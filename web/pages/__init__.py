"""Pages of the web builder, one file per resource. Signed-in people only; forms carry a CSRF token."""
