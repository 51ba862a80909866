"""Which engines answer a rule besides the row store? One module each; all run the same statement."""
