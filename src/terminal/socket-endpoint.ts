import type { Socket } from 'node:net';
import { ByteSink } from './byte-sink.ts';
import type { Endpoint } from './endpoint.ts';
import { InputGate } from './input-gate.ts';

/** How long a client whose connection we end may go on sending, ms. */
const LAST_WORDS_MS = 1000;

/**
 * Ends a connection so that the client reads what was said last. Closing a socket with unread input resets
 * the connection, and that takes away what the client has not read: its input is read, and dropped, until
 * it ends its side as well, or for a while.
 */
function endInOrder(socket: Socket): void {
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

/** A client of a unix socket, as `UnixListener` hands it over: a program, not a terminal. */
export function socketEndpoint(socket: Socket, name: string): Endpoint {
  const sink = new ByteSink(socket, name, 'debug');
  const input = new InputGate({
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  });
  let isClosing = false;
  socket.on('data', (bytes) => {
    if (!isClosing) input.push(bytes);
  });
  socket.once('end', () => input.end());
  socket.resume();
  return {
    isTerminal: false,
    columns: () => undefined,
    write: (text) => sink.write(text),
    onDrain: (callback) => sink.onDrain(callback),
    onInput: (callback) => input.onData(callback),
    onEnd: (callback) => input.onEnd(callback),
    onFocus: (callback) => callback(),
    onResize: () => undefined,
    pauseInput: () => input.pause(),
    resumeInput: () => input.resume(),
    onClose: (callback) => {
      if (socket.closed) callback();
      else socket.once('close', callback);
    },
    close: async () => {
      isClosing = true;
      await sink.finish();
      // Does it not read what is there for it already?
      if (socket.writableLength > 0) socket.destroy();
      else endInOrder(socket);
    },
  };
}
