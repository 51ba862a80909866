"""How are offers typed in, and codes followed?

Owns the offer's form and its worked example, a code's life, where a QR code leads, stops, and the feed of the till.
"""
