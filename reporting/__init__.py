"""Looks back: numbers with their uncertainty, read from what the rooms below have recorded. Owns no tables."""
