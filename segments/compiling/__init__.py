"""How does a rule become one SQL statement? One module per kind of fact, and `compile` that puts them together.

Nothing here is run: a statement goes to segments/engines.
"""
