"""The frozen records that flow between stages; each stage reads one and returns the next.

Norms are L2 norms. A *decade* is a factor of ten: `decades` is a log10. `None` in a number's place
means that it could not be measured, never zero. One module a stage, so that what only shows a report
does not build the records of the probe.
"""
