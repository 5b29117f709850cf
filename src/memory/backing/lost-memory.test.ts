import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addon, type NativeEventFd } from '../../kvm/addon.ts';
import { MIB, PAGE_SIZE } from '../../units.ts';
import type { Backing } from '../backing.ts';
import { openBacking } from './open.ts';
import { fileSpec, ramSpec } from './testing/specs.ts';

/*
 * Each of these accesses is answered with SIGBUS: were it not handled, this process would be gone.
 */
let folder = '';
let path = '';
let backing: Backing;
let lost: NativeEventFd;

beforeEach(() => {
  folder = mkdtempSync('/dev/shm/tsvmm-lost-');
  path = join(folder, 'file');
  backing = openBacking(fileSpec(path, { share: true }));
  lost = addon.createEventFd();
  backing.mapping.watchFaults(lost);
});

afterEach(() => {
  backing.close();
  lost.close();
  rmSync(folder, { recursive: true });
});

const signalled = (): Promise<void> => new Promise((resolve) => lost.watch(resolve));

describe('memory whose file was cut short', () => {
  it('reads zeros through a view that JavaScript had before, and is reported', async () => {
    const view = new Uint8Array(backing.mapping.view(0, 4 * MIB)).fill(1);
    truncateSync(path, MIB);
    expect(backing.mapping.faultOffset).toBeUndefined();
    expect(view[MIB - 1]).toBe(1);
    expect(view[2 * MIB + 17]).toBe(0);
    expect(backing.mapping.faultOffset).toBe(2 * MIB);
    await signalled();
  });

  it('takes writes, which go nowhere', () => {
    truncateSync(path, 0);
    const view = new DataView(backing.mapping.view(MIB, 8));
    view.setUint32(0, 0xdeadbeef);
    expect(view.getUint32(0)).toBe(0xdeadbeef);
    expect(backing.mapping.faultOffset).toBe(MIB);
  });

  it('is copied to and from, page by page', () => {
    truncateSync(path, 4 * PAGE_SIZE);
    const bytes = new Uint8Array(MIB).fill(7);
    backing.mapping.write(0, bytes);
    const back = new Uint8Array(MIB);
    backing.mapping.read(0, back);
    expect(back).toEqual(bytes);
    expect(backing.mapping.faultOffset).toBe(4 * PAGE_SIZE);
  });

  it('is zeroed on another thread', async () => {
    truncateSync(path, 0);
    await backing.mapping.zero(0, MIB);
    expect(backing.mapping.faultOffset).toBe(0);
  });

  it('cannot be allocated: an error that names the file, and no lost page', async () => {
    truncateSync(path, MIB);
    await expect(backing.populate(0, 4 * MIB)).rejects.toThrow(
      `memory backend test: cannot allocate 4 MiB: ${path} was cut to 1 MiB; 16 MiB are mapped`,
    );
    expect(backing.mapping.faultOffset).toBeUndefined();
  });

  it('is missed before anybody touches it', async () => {
    const loss = new Promise<void>((resolve) => backing.onLoss(resolve));
    truncateSync(path, MIB);
    await loss;
    expect(backing.trouble()).toBe(`${path} was cut to 1 MiB; 16 MiB are mapped`);
  });

  it('is not reported for another mapping', () => {
    const other = openBacking(ramSpec());
    truncateSync(path, 0);
    new Uint8Array(backing.mapping.view(0, 1))[0] = 1;
    expect(other.mapping.faultOffset).toBeUndefined();
    other.close();
  });
});

describe('a discard', () => {
  it('is no loss', async () => {
    let losses = 0;
    backing.onLoss(() => (losses += 1));
    await backing.discard(0, backing.size);
    const end = new Promise<void>((resolve) => backing.onLoss(resolve));
    truncateSync(path, MIB);
    await end;
    expect(losses).toBe(1);
  });
});

describe('SIGBUS from elsewhere', () => {
  it('ends the process, as it does without us', () => {
    const addonPath = join(import.meta.dirname, '../../../build/Release/tsvmm.node');
    const script = `
      const addon = require(${JSON.stringify(addonPath)});
      addon.mapMemory({ size: 4096, alignment: 4096, shared: false, noReserve: true, access: 'read-write' });
      process.kill(process.pid, 'SIGBUS');
      setInterval(() => {}, 1000);`;
    const { signal } = spawnSync(process.execPath, ['-e', script]);
    expect(signal).toBe('SIGBUS');
  });
});
