"""The twin: the real library in virtual time, on a network and a server in memory.

`ask` puts a Scenario to it, `worker` does so in a process of its own (`child`), `agree` compares.
`play` runs a Script: it starts `clock` (the event loop), `network`, one adapter (`asyncpg`,
`sqlalchemy`, `aiohttp`, ...) with its server (`postgres` on `pgwire`, or `http`), and writes down
in `notes` what each caller sees. Everything above the transport is the library's own.
"""
