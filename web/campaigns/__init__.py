"""How are a campaign and its results put on a page?

Owns its form, what was approved and changed since, its messages, its report and the proposals for the next.
"""
