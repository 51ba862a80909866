"""Is this audience any good? Its shape against everybody, its overlap with others, its size over the past year."""
