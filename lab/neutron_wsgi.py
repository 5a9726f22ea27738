"""neutron-api, with a model loaded that it forgets.

Without any service plugin nobody imports the port forwarding's table, and the
first query fails: "Port has no attribute 'port_forwardings'".
"""

import neutron.db.models.port_forwarding  # noqa: F401
from neutron.wsgi.api import application
from sqlalchemy import orm

orm.configure_mappers()

__all__ = ["application"]
