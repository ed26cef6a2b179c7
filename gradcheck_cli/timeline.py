"""One run from its session to a timeline."""
