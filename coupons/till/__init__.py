"""What does the till get for its question, and what is counted for it? Redeeming, reserving, giving back, reporting."""
