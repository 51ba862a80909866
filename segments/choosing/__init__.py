"""What can be chosen while a rule is being written? Values with the people behind each, and the shop's own names."""
