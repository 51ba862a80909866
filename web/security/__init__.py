"""Who may ask, and what did they do?

Owns logins, keys, what each may, the throttle against guessing, the headers of every answer and the audit trail.
"""
