"""OpenAI-compatible servers, whose chunks keep their bytes. `flavors.py` lists their differences."""
