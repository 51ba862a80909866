"""Which shops tell us of their orders, and what became of each thing they told?

Owns shop connections and the inbox of their webhooks: reception is a door, processing is a duty of the worker. Nothing
here needs a web request, so that the worker can import it.
"""
