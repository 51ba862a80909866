"""What stands on every page?

Owns the side bar, icons, charts, links between pages, pages of lists, toasts, and the numbers of health.
"""
