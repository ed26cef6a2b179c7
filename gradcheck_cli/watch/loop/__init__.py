"""Faults of the loop: what the calls show exactly (THEORY.md, section 7). Read `facts`, then `loopfaults`."""
