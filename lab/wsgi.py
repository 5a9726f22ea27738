"""gunicorn's settings for each of the API services.

They are in a file since gunicorn must run bare: keystone, nova and neutron
take the process's own command line for theirs.
"""

import os

bind = [f"127.0.0.1:{os.environ['LAB_PORT']}"]
wsgi_app = os.environ["LAB_WSGI"]
pythonpath = os.environ["LAB_PYTHONPATH"]
worker_class = "gthread"
workers = 1
threads = 8
timeout = 120
graceful_timeout = 3
keepalive = 30
