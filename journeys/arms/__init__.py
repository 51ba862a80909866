"""Which arm is better, which one does a learning step draw, and which one goes to the rest?"""
