"""Every threshold of a verdict, with a measurement that lies just short of it and one just beyond.

`python -m tests.mutation` moves the thresholds by a factor of 3 and looks whether a test notices.
"""
