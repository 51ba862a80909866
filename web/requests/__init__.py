"""How does a request become an answer?

Owns what every route shares: bodies held against a schema, errors for people and programs, transactions, files that
are sent, questions about people, and the door in front of Flask for plain redemptions.
"""
