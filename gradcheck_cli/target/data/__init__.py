"""Batches: from files, from specs in words, and from whatever in the user's code holds data."""
