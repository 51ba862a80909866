"""How is a rule said, in English and German, and what speaks for one person being in it?

The promise: every rule has one sentence, and evidence names facts, never conditions.
"""
