"""Text for the ear: what a model writes, as it is spoken."""
