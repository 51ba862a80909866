"""What is a rule? Its words, windows, operators and values, and the check that names the place of every error.

Pure: nothing here asks a database. The promise: what `rules.parse_rule` lets through has a statement and a sentence.
"""
