"""The command line: one file a command.

Outside the flow: reads hosts and flavors from where people have them, asks
the engine, and renders its answer. Knows nothing of the scheduler and the
compute node; what it prints comes from the same engine as what they do.
"""
