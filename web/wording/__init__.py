"""How is a value written for people?

Owns numbers, amounts and dates, how typed ones are read, and the marketer's words for states.
"""
