"""What do people do to a journey? Drafts, approval, publishing, moving, files, plays, and mending what went wrong."""
