"""The ground: database, clock, settings, errors, shared types and pure statistics. Imports no other room."""
