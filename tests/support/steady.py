"""What tests with and without Home Assistant set when they start. Importing it sets it."""

import logging

import hypothesis

# On a shared machine, the duration of one example is not meaningful.
hypothesis.settings.register_profile("steady", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("steady")

# Every statement would be formatted and kept for a report that shows it only if its test fails.
logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
