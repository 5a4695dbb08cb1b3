"""`python -m fervid.bench`: how fast fervid is on this machine, case by case.

Every case runs what a user would run: `fervid.analyse` in this process, or the command in a fresh
one. Cases take turns in rounds, beside a plain loop of the network alone, so that what else the
machine does falls on all of them alike: ratios within a run are the results.
"""
