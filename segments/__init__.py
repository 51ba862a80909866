"""Which customers are meant: rules, and everything that is asked, kept and told about them.

From the ground up, each importing only what stands before it:
`models` (the tables), `dialects` (where SQL differs), `language` (what a rule is);
`saving` (rules with a name, lists) and `compiling` (a rule as SQL);
`telling` (a rule as a sentence, what speaks for a person) and `engines` (who answers);
`choosing`, `figures`, `membership` and `proposals`, strangers to each other like all that share a line.
"""
