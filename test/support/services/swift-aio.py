#!/usr/bin/python3
"""One OpenStack Swift with one replica: swift-aio.py ETC_DIRECTORY account=PORT container=PORT object=PORT

Swift is imported once, the three rings are made, and its four stock servers are forked, each with its own configuration: twice as quick as
four programs and nine calls of swift-ring-builder.
"""
import os
import signal
import sys

import eventlet.hubs  # noqa: before anything of Swift
import swift.common.utils as utils

etc, ports = sys.argv[1], dict(arg.split('=') for arg in sys.argv[2:])
utils.SWIFT_CONF_FILE = os.path.join(etc, 'swift.conf')  # before constraints and policies are read from it

import swift.account.server  # noqa: shared by the forks
import swift.container.server  # noqa
import swift.obj.server  # noqa
import swift.proxy.server  # noqa
from swift.common.ring import RingBuilder  # noqa
from swift.common.wsgi import run_wsgi  # noqa

for name, port in ports.items():
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({'id': 0, 'region': 1, 'zone': 1, 'weight': 1, 'ip': '127.0.0.1', 'port': int(port), 'device': 'd1'})
    builder.rebalance()
    builder.get_ring().save(os.path.join(etc, name + '.ring.gz'))

children = []
for name in list(ports) + ['proxy']:
    pid = os.fork()
    if pid == 0:
        sys.exit(run_wsgi(os.path.join(etc, name + '-server.conf'), name + '-server'))
    children.append(pid)


def end(*_):
    for child in children:
        try:
            os.kill(child, signal.SIGTERM)
        except ProcessLookupError:
            pass


signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
code = 0
for _ in children:  # where one is gone, all go
    _, status = os.wait()
    code = code or os.waitstatus_to_exitcode(status)
    end()
sys.exit(0 if code in (0, -signal.SIGTERM) else 1)
