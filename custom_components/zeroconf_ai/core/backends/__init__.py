"""One file per wire dialect; `base` is what they have in common."""
