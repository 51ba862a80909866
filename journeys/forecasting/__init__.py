"""What would happen? The real graph over the real people in a world of its own, with a moving clock."""
