"""Addresses that shops and providers call. Each route checks its caller's signature; no cookies, no CSRF token."""
