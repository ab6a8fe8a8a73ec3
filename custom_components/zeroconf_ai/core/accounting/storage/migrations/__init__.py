"""How the tables came to be what they are: one script per step, up and down (`migrate.py`)."""
