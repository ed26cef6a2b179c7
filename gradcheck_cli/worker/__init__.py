"""The processes in which the user's code runs.

`launch` is the side of the command, `keeper` the small process that starts and ends checks, `work` one check;
`processes` finds and ends what a process started, and `messages` is how they talk.
"""
