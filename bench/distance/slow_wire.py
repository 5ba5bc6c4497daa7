"""TCP proxies to ports of this machine that make everything late.

    python -m bench.distance.slow_wire PORT,PORT MILLISECONDS

It prints their ports in one line. What either side sends is on its way for so many milliseconds. A connect to a proxy
on the same machine takes no time; so what the client sends counts from where a distant connect would have ended, after
two ways, and the server hears of it after three.
"""

from __future__ import annotations

import asyncio
import sys

Late = asyncio.Queue[tuple[float, bytes]]  # what was sent, with the time when it arrives


async def serve(port: int, delay: float) -> asyncio.Server:

    clock = asyncio.get_running_loop().time

    async def take(reader: asyncio.StreamReader, late: Late, connected: float) -> None:
        data = b"?"
        while data:
            try:
                data = await reader.read(256 * 1024)
            except OSError:
                data = b""
            late.put_nowait((max(connected, clock()) + delay, data))

    async def give(late: Late, writer: asyncio.StreamWriter) -> None:
        while True:
            due, data = await late.get()
            await asyncio.sleep(due - clock())
            if not data:
                writer.close()
                return
            writer.write(data)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected, up, down = clock() + 2 * delay, Late(), Late()
        taking = asyncio.create_task(take(reader, up, connected))
        await asyncio.sleep(3 * delay)
        from_there, to_there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(taking, give(up, to_there), take(from_there, down, 0.0), give(down, writer))

    return await asyncio.start_server(connect, "127.0.0.1", 0)


async def serve_all(ports: list[int], delay: float) -> None:
    servers = [await serve(port, delay) for port in ports]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(serve_all([int(port) for port in sys.argv[1].split(",")], float(sys.argv[2]) / 1000))
