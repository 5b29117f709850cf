import { createServer, isIP, type AddressInfo, type Server, type Socket } from 'node:net';
import { ConfigError, messageOf } from '../errors.ts';
import { log } from '../log.ts';
import { BACKLOG, type Listener } from './listener.ts';
import type { TcpTarget } from './target.ts';
import { WaitingClients } from './waiting-clients.ts';

const logger = log('socket');

/** Whether only processes of this host can connect to an address. */
function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/** A TCP port that accepts clients. */
export class TcpListener implements Listener {
  readonly kind = 'tcp';
  readonly address: string;
  readonly port: number;
  readonly #server: Server;
  readonly #clients = new WaitingClients();

  private constructor(server: Server, { address, port }: AddressInfo) {
    this.address = address;
    this.port = port;
    this.#server = server;
    server.on('connection', (socket) => this.#clients.accept(socket));
    server.on('error', (error) => logger.warn({ port }, messageOf(error)));
  }

  /**
   * Listens at once; clients that come before `onConnection` wait.
   *
   * @param target port 0 for any free one
   * @param option what it was given for, for messages and the log
   * @throws ConfigError when the address or port cannot be had
   */
  static async open({ host, port }: TcpTarget, option: string): Promise<TcpListener> {
    // Half-open: a client that has sent all its commands still gets its answers.
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port, backlog: BACKLOG }, () => {
          server.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      throw new ConfigError('TCP_PORT', `${option} tcp:${host}:${port}: ${messageOf(error)}`, {
        cause: error,
      });
    }
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new Error('a TCP server has no port');
    const listener = new TcpListener(server, bound);
    const where = { option, address: listener.address, port: listener.port };
    if (isLoopback(where.address)) logger.info(where, 'clients may connect');
    else logger.warn(where, 'whoever reaches this address controls the machine, unasked');
    return listener;
  }

  /** The address as it is written before a port. */
  get host(): string {
    return isIP(this.address) === 6 ? `[${this.address}]` : this.address;
  }

  onConnection(serve: (socket: Socket) => void): void {
    this.#clients.serveWith(serve);
  }

  close(): void {
    this.#clients.dismiss();
    this.#server.close();
  }
}
