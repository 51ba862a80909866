"""Numbers about people: what is kept, who computes it, and when. One file per way of computing."""
