"""The user's code: found, imported, and called as it takes its arguments. References are read without torch."""
