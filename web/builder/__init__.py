"""How is a rule edited in a form?

Owns the draft tree behind the segment builder, the chips of every kind of condition (what they say, what can be
chosen, how a filled form is read back) and the numbers beside them. Pages only parse, ask and render. The promise:
nothing typed is lost; what cannot be read stays in its field with the reason beside it.
"""
