"""Who comes in, by which door, and who is left alone or stays out?"""
