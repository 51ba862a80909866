"""Who is in a segment, since when, and when must that be asked again?

Owns refreshing as a set difference, the log of coming and going, the next change, and frozen snapshots. The promise:
only a published refresh is seen, and nobody is removed and added again.
"""
