"""A running script, watched from inside: its steps on tape, its vitals, and the step that went wrong repeated.

`watcher` is the whole; `tape` and `replay` repeat a step; `alarms` say when to, from plain numbers.
"""
