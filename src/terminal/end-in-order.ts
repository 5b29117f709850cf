import type { Socket } from 'node:net';

/** How long a client whose connection we end may go on sending, ms. */
const LAST_WORDS_MS = 1000;

/**
 * Ends a connection so that the client reads what was said last. Closing a socket with unread input resets
 * the connection, and that takes away what the client has not read: its input is read, and dropped, until
 * it ends its side as well, or for a while. What comes meanwhile is for the caller to drop.
 */
export function endInOrder(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.readableEnded) {
    socket.end(() => socket.destroy());
    return;
  }
  // Nobody waits for it: the process may end meanwhile.
  const late = setTimeout(() => socket.destroy(), LAST_WORDS_MS).unref();
  socket.once('close', () => clearTimeout(late));
  socket.once('end', () => socket.destroy());
  socket.unref();
  socket.resume();
  socket.end();
}
