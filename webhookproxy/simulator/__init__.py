"""A Socket.IO server that plays 3C Plus, for the demo, development and the tests.

It runs in its own process, `python -m webhookproxy.simulator`, because asyncio and a process
patched by gevent do not mix; the relay never imports it.
"""
