"""What holds for all tests."""

import signal

from hypothesis import HealthCheck, settings

# An example that takes long is no failure: on a loaded machine any may.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# A shell makes what it starts in the background deaf to Ctrl-C, and all that this starts: the
# programs that tests press it for would go on for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
