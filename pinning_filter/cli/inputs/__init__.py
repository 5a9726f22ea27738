"""What commands are asked about: arguments and files -> core's values.

Everything that makes no sense ends as an
:class:`~pinning_filter.core.errors.InputError`. ``nova`` is imported only when
needed: Nova takes seconds.
"""
