"""What does each person do next? The runner and the duties that ring it, in batches, one transaction each."""
