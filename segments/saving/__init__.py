"""Which audiences have a name? Saved rules with their versions, folders and uses, and lists of people."""
