import type { Socket } from 'node:net';
import { BACKLOG } from './listener.ts';

/** Keeps the clients of a socket until somebody serves them. */
export class WaitingClients {
  #waiting: Socket[] = [];
  #serve: ((socket: Socket) => void) | undefined;

  /** Hands a new client on, or keeps it; one too many is closed. */
  accept(socket: Socket): void {
    if (this.#serve !== undefined) {
      this.#serve(socket);
      return;
    }
    // A client that goes away while it waits must not end the process.
    socket.on('error', () => socket.destroy());
    if (this.#waiting.length >= BACKLOG) socket.destroy();
    else this.#waiting.push(socket);
  }

  /** Hands every client, waiting or new, to `serve`. */
  serveWith(serve: (socket: Socket) => void): void {
    this.#serve = serve;
    for (const socket of this.#waiting.splice(0)) {
      if (!socket.destroyed) serve(socket);
    }
  }

  /** Closes those that still wait. */
  dismiss(): void {
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }
}
