"""Which outside does this installation speak through?

Owns making delivery's channels and settings from the installation's settings: SMTP when an address is set, else the
memory sink with its own file, letters as PDFs in the home, calls on the call desk.
"""


