// Unix sockets that QEMU connects its serial ports to.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';

// The machine finds its ports by these names; the first one is a terminal.
export const CHANNELS = ['terminal', 'control', 'stdin', 'stdout', 'stderr'];

/** Listens for all channels; `connected` resolves to their sockets by name. */
export async function listen(job) {
  const servers = CHANNELS.map((name) => {
    // Half open: the end of our stdin must not cut off what comes back.
    return createServer({ allowHalfOpen: true }).listen(join(job, `${name}.sock`));
  });
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const connected = Promise.all(
    servers.map(async (server) => {
      const [socket] = await once(server, 'connection');
      server.close();
      socket.on('error', () => {}); // QEMU going away is noticed elsewhere
      return socket;
    }),
  ).then((sockets) => Object.fromEntries(CHANNELS.map((name, i) => [name, sockets[i]])));
  return { connected }; // not awaited here: QEMU is yet to be started
}

/**
 * Copies `socket` to `output` up to the end marker, which the machine sends when
 * everything written before it has been sent.
 */
export function copyUntil(socket, marker, output) {
  return new Promise((resolve) => {
    let held = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const end = held.indexOf(marker);
      const ready = end >= 0 ? end : held.length - startedMarker(held, marker);
      if (ready > 0 && !output.write(held.subarray(0, ready))) {
        socket.pause();
        output.once('drain', () => socket.resume());
      }
      held = held.subarray(ready);
      if (end >= 0) resolve();
    });
  });
}

/** Length of the longest end of `data` that could be the marker's beginning. */
function startedMarker(data, marker) {
  for (let n = Math.min(marker.length - 1, data.length); n > 0; n--) {
    if (data.subarray(-n).equals(marker.subarray(0, n))) return n;
  }
  return 0;
}
