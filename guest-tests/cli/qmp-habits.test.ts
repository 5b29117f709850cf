import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { GIB } from '../harness/sizes.ts';
import { bootAgent, tempDir } from '../harness/test-vm.ts';

/*
 * Habits of clients that exist. One in Go connects for each command, encodes with a newline behind each
 * value, sends what its user wrote, with newlines and tabs inside, and reads lines of up to 64 KiB.
 */

/** The longest line that a reader of lines takes in Go. */
const LINE_LIMIT = 64 * 1024;

type Answer = Readonly<Record<string, unknown>>;

/** Gives one command on a connection of its own. @returns greeting, negotiation and answer */
async function alone(path: string, command: string): Promise<readonly Answer[]> {
  const socket = connect(path);
  const lines: string[] = [];
  let text = '';
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject).on('close', () => reject(new Error(`closed after ${text}`)));
      socket.setEncoding('utf8').on('data', (piece: string) => {
        const [rest = '', ...whole] = (text + piece).split('\n').toReversed();
        text = rest;
        for (const line of whole.toReversed()) {
          lines.push(line);
          if (lines.length === 1) socket.write('{"execute":"qmp_capabilities"}\n');
          if (lines.length === 2) socket.write(command);
          if (lines.length === 3) resolve();
        }
      });
    });
  } finally {
    socket.removeAllListeners('close').destroy();
  }
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(LINE_LIMIT);
  return lines.map((line) => JSON.parse(line) as Answer);
}

async function boot(): Promise<string> {
  const path = tempDir().file('qmp');
  await bootAgent({ virtioMem: ['size=4G,block-size=2M'], args: ['--qmp', `unix:${path}`] });
  return path;
}

const RESIZE = `
\t{
\t\t"execute": "qom-set",\r
\t\t"arguments": {
\t\t\t"path":\t"vm0",
\t\t\t"property": "requested-size",
\t\t\t"value": ${GIB}
\t\t}
\t}
`;

describe('a client that connects for each command', () => {
  it('may write newlines and tabs inside its commands', async () => {
    const path = await boot();
    expect(await alone(path, RESIZE)).toMatchObject([{ QMP: {} }, { return: {} }, { return: {} }]);
    const [, , answer] = await alone(path, '{\n\t"execute":\n\t"query-memory-devices"\n}\n\n');
    expect(answer).toMatchObject({ return: [{ data: { id: 'vm0', 'requested-size': GIB } }] });
  });

  it('is served in a burst of 40', async () => {
    const path = await boot();
    const command = '{"execute":"query-status"}\n';
    const burst = await Promise.all(Array.from({ length: 40 }, () => alone(path, command)));
    for (const [, , answer] of burst) expect(answer).toMatchObject({ return: { running: true } });
  });
});
