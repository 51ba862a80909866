"""Addresses that customers open from a message, without a login. Each route checks its own signed token."""
