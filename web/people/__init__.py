"""What does a page tell about one customer?

Owns their story in order, their facts, what is held about them, and why somebody was not written to.
"""
