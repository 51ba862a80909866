"""Who answers a question about an audience? `questions` chooses; one module for each engine; all run one statement.

Owns the time limit, what the column mirror must hold, and the export to engines on other machines.
"""
