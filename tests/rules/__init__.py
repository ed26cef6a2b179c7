"""Rules on measurements written by hand."""
