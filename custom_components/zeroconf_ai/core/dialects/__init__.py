"""What clients speak: requests into the inner language, answers out of it. Pure functions and state, no I/O."""
