"""Is the cloud set up as pinning needs it, and what is to be done?

A file a subject; each check is a small function of values, which yields what
it finds and what to do about it. ``facts`` are those values, ``gather`` reads
them. Does not know who asks, or how it is shown. Begin with ``checks``.
"""
