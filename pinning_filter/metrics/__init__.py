"""A cloud in numbers, for Prometheus.

A snapshot is counted once; what was counted becomes families of series, and
these a text, for a file or for whoever scrapes. Each number is one that a
command gives, too. Must not know commands, nor where a snapshot comes from.

Begin with ``figures``, what is counted, then ``families``, what it is called;
``exporter`` answers scrapes.
"""
