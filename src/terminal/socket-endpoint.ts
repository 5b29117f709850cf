import type { Socket } from 'node:net';
import { ByteSink } from './byte-sink.ts';
import type { Endpoint } from './endpoint.ts';
import { InputGate } from './input-gate.ts';

/** A client of a unix socket, as `UnixListener` hands it over: a program, not a terminal. */
export function socketEndpoint(socket: Socket, name: string): Endpoint {
  const sink = new ByteSink(socket, name, 'debug');
  const input = new InputGate({
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  });
  socket.on('data', (bytes) => input.push(bytes));
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
      await sink.finish();
      // An orderly end first: a reset would take away what the client has not read yet.
      socket.end(() => socket.destroy());
      if (socket.writableLength > 0) socket.destroy();
    },
  };
}
