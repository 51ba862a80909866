"""Which segments does the history itself propose?

Owns reading verbs only: the grid of recency and frequency, things bought by the same people, and people late against
their own rhythm. The promise: every proposal carries an ordinary rule, and that rule finds the people it counted.
"""
