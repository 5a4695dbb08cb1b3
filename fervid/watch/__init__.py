"""Watch: who is told while a run goes on.

    results of each source -> changes -> events, lines of JSON
                           -> rules   -> alerts -> events, standard error, an address, a command
                           -> numbers -> metrics, which Prometheus fetches

`hub.Watch` has what all sources share; each source has its own sinks, which are the last of its
sinks: what they tell is in all other outputs by then.
"""
