"""The processes in which the user's code runs, and what keeps them: never imported for what it does to a model.

`launch` is the side of the command, `keeper` the small process that starts and ends checks, `work` one check.
"""
