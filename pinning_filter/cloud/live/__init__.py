"""A running cloud, read as Nova's own services read it.

``reading`` bounds and guards what is asked of databases, ``session`` knows
where they are, ``cloud`` makes a snapshot out of what ``nodes``, ``guests``
and ``placement`` find. Everything goes through Nova's own objects, so whatever
release is installed knows its own tables. Imported only when needed: Nova
takes seconds.
"""
