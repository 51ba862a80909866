"""Which codes are there, whose are they, and what became of each?"""
