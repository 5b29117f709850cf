import type { Socket } from 'node:net';

/**
 * Clients at the same time, of everything that speaks to several: scripts come in bursts, each command
 * with a connection of its own.
 */
export const CLIENT_LIMIT = 128;
/** Clients that may wait before somebody serves them, and at any time in the kernel's queue. */
export const BACKLOG = 128;

/** A socket that clients come to. */
export interface Listener {
  /** Who can come: those whom a file lets in, or whatever can open a connection, as any page in a browser. */
  readonly kind: 'unix' | 'tcp';
  /** Hands every client to `serve`: paused, half-open, to be closed by it. */
  onConnection(serve: (socket: Socket) => void): void;
  close(): void;
}
