"""Speech to text and text to speech with providers' models."""
