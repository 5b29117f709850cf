import type { Socket } from 'node:net';
import { ByteSink } from './byte-sink.ts';
import { endInOrder } from './end-in-order.ts';
import type { Endpoint } from './endpoint.ts';
import { InputGate } from './input-gate.ts';

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
