#!/usr/bin/env python3
"""Forwards every TCP connection that a host of cluster.sh opens, late or with a bit changed.

    relay.py --port PORT [--delay MS] [--jitter MS] [--flip-after BYTES]

The host's own firewall redirects connections to PORT; where each was going is asked of the kernel. What arrives is
passed on after the delay, in both directions and in order. --flip-after changes one bit, once: the lowest of the byte
that follows that many bytes of the first connection that carries so many in one direction. A tool of the failure matrix;
nothing else needs Python.
"""

import argparse
import asyncio
import random
import socket
import struct
import time

SO_ORIGINAL_DST = 80
# The relay's own connections carry this mark, and the firewall lets them out.
MARK = 0x77
CHUNK = 1 << 16


class Relay:
    def __init__(self, delay, jitter, flip_after):
        self.delay, self.jitter, self.flip_after = delay, jitter, flip_after

    def altered(self, data, passed):
        """`data`, or with its bit changed if the place for it lies within and none was changed before."""
        if self.flip_after is None or not passed <= self.flip_after < passed + len(data):
            return data
        at = self.flip_after - passed
        self.flip_after = None
        print(f"relay: changed a bit of byte {passed + at}", flush=True)
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    async def direction(self, reader, writer):
        """Passes on until the end, which is passed on too."""
        waiting = asyncio.Queue(maxsize=1024)

        async def take():
            passed, due = 0, 0.0
            try:
                while data := await reader.read(CHUNK):
                    wait = max(0.0, self.delay + random.uniform(-self.jitter, self.jitter))
                    due = max(due, time.monotonic() + wait)  # never overtaking what came before
                    await waiting.put((due, self.altered(data, passed)))
                    passed += len(data)
            finally:
                await waiting.put((due, None))

        taking = asyncio.create_task(take())
        try:
            while True:
                due, data = await waiting.get()
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                if data is None:
                    break
                writer.write(data)
                await writer.drain()
            writer.write_eof()
            await taking
        except OSError:
            writer.transport.abort()
        finally:
            taking.cancel()

    async def connection(self, reader, writer):
        """One connection of the host: on to where it was going. What is refused there is reset here."""
        accepted = writer.get_extra_info("socket")
        where = accepted.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
        port, address = struct.unpack("!2xH4s8x", where)
        onward = socket.socket()
        onward.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        onward.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        onward.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(onward, (socket.inet_ntoa(address), port))
            far_reader, far_writer = await asyncio.open_connection(sock=onward)
        except OSError:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            onward.close()
            return
        await asyncio.gather(self.direction(reader, far_writer), self.direction(far_reader, writer), return_exceptions=True)
        writer.transport.abort() if writer.is_closing() else writer.close()
        far_writer.close()


async def main():
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--delay", type=float, default=0)
    options.add_argument("--jitter", type=float, default=0)
    options.add_argument("--flip-after", type=int)
    options = options.parse_args()
    relay = Relay(options.delay / 1000, options.jitter / 1000, options.flip_after)
    server = await asyncio.start_server(relay.connection, "0.0.0.0", options.port, limit=CHUNK)
    print("relay: ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
