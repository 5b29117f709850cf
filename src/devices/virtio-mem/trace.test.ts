import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setLogLevel, setLogTarget } from '../../log.ts';
import { GIB, hex, MIB } from '../../units.ts';
import {
  VIRTIO_MEM_REQ_PLUG as PLUG,
  VIRTIO_MEM_REQ_STATE as STATE,
  VIRTIO_MEM_REQ_UNPLUG as UNPLUG,
  VIRTIO_MEM_REQ_UNPLUG_ALL as UNPLUG_ALL,
} from './spec.ts';
import { BLOCK, DeviceRig, REGION_GPA as BASE } from './testing/device-rig.ts';

const COMMON = new Set(['level', 'time', 'msg']);

let folder: string;
let fd: number;
let rig: DeviceRig;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsvmm-trace-'));
  fd = openSync(join(folder, 'log'), 'w');
  setLogTarget(fd);
  rig = new DeviceRig({ requestedSize: GIB, dynamicMemslots: true, memslotSize: GIB });
  rig.driver.start();
  setLogLevel('trace-all');
});

afterEach(() => {
  setLogLevel('info');
  setLogTarget(process.stderr.fd);
  closeSync(fd);
  rig.close();
  rmSync(folder, { recursive: true });
});

/** Lines with this message, without what they have in common. */
function traced(message: string): Record<string, unknown>[] {
  const lines = readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n');
  return lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => msg === message)
    .map((line) => Object.fromEntries(Object.entries(line).filter(([key]) => !COMMON.has(key))));
}

describe('a trace', () => {
  it('has a line for each request and its answer', async () => {
    await rig.ask(PLUG, BASE, 4);
    await rig.ask(PLUG, BASE, 1);
    await rig.ask(PLUG, BASE + 4 * BLOCK, 600);
    await rig.ask(STATE, BASE, 4);
    await rig.ask(STATE, BASE + 4 * BLOCK, 1);
    await rig.ask(STATE, BASE, 5);
    await rig.ask(STATE, 2n ** 64n - 1n, 1);
    const release = rig.holds.take('a test');
    await rig.ask(UNPLUG, BASE, 4);
    release();
    await rig.ask(UNPLUG, BASE, 4);
    await rig.ask(UNPLUG_ALL, 0, 0);
    const request = (name: string, gpa: number, count: number, answer: string, state?: string) => ({
      component: 'virtio-mem',
      id: 'vm0',
      request: name,
      gpa: hex(gpa),
      count,
      answer,
      us: expect.any(Number) as number,
      ...(state === undefined ? {} : { state }),
    });
    expect(traced('request')).toEqual([
      request('plug', BASE, 4, 'ack'),
      request('plug', BASE, 1, 'error'),
      request('plug', BASE + 4 * BLOCK, 600, 'nack'),
      request('state', BASE, 4, 'ack', 'plugged'),
      request('state', BASE + 4 * BLOCK, 1, 'ack', 'unplugged'),
      request('state', BASE, 5, 'ack', 'mixed'),
      request('state', 2 ** 64, 1, 'error'),
      request('unplug', BASE, 4, 'busy'),
      request('unplug', BASE, 4, 'ack'),
      request('unplug-all', 0, 0, 'ack'),
    ]);
  });

  it('has a line for each change of the usable region', async () => {
    rig.device.setRequestedSize(2 * GIB);
    rig.device.setRequestedSize(0);
    await rig.ask(UNPLUG_ALL, 0, 0);
    const change = { component: 'virtio-mem', id: 'vm0' };
    const [one, two] = [GIB + 256 * MIB, 2 * GIB + 256 * MIB];
    expect(traced('usable region')).toEqual([
      { ...change, from: hex(one), to: hex(two) },
      { ...change, from: hex(two), to: '0x0' },
    ]);
  });

  it('has a line for each memslot that comes or goes', async () => {
    rig.device.setRequestedSize(2 * GIB);
    await rig.ask(PLUG, BASE, 1);
    await rig.ask(PLUG, BASE + GIB, 1);
    await rig.ask(UNPLUG, BASE, 1);
    await rig.ask(UNPLUG_ALL, 0, 0);
    const slot = (at: number) => ({
      component: 'memslots',
      slot: at,
      gpa: hex(BASE + at * GIB),
      size: hex(GIB),
      owner: 'vm0',
    });
    expect(traced('memslot added')).toEqual([slot(0), slot(1)]);
    expect(traced('memslot removed')).toEqual([slot(0), slot(1)]);
  });
});
