"""What does a journey say? Its graph: read, checked, compared, and the plans that walk by it.

Pure but for the plans and comparisons, which read published versions.
"""
