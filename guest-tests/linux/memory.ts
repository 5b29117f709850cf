import { expect } from 'vitest';
import type { Monitor } from '../harness/monitor.ts';
import { GIB, KIB, MIB, TIB } from '../harness/sizes.ts';
import { LINUX_LIMIT_MS } from './console.ts';
import type { LinuxGuest } from './linux-guest.ts';

/** Options of `expect.poll` for what Linux does in its own time. */
export const POLL = { timeout: LINUX_LIMIT_MS, interval: 200 } as const;
const UNITS: Readonly<Record<string, number>> = { K: KIB, M: MIB, G: GIB, T: TIB };

/** A line of `info memslots`; bytes. */
export interface Slot {
  readonly gpa: number;
  readonly size: number;
}

/** A device as `info memory-devices` shows it; bytes. */
export interface MemoryDevice {
  readonly memaddr: number;
  readonly requested: number;
  readonly size: number;
  readonly max: number;
  readonly block: number;
}

function number(text: string, key: string): number {
  const match = new RegExp(`^  ${key}: (\\w+)$`, 'm').exec(text);
  if (match === null) throw new Error(`no ${key} in\n${text}`);
  return Number(match[1]);
}

export async function memoryDevice(monitor: Monitor, id: string): Promise<MemoryDevice> {
  const output = await monitor.command('info memory-devices');
  const text = output
    .split('Memory device ')
    .find((part) => part.startsWith(`[virtio-mem]: "${id}"\n`));
  if (text === undefined) throw new Error(`no ${id} in\n${output}`);
  return {
    memaddr: number(text, 'memaddr'),
    requested: number(text, 'requested-size'),
    size: number(text, 'size'),
    max: number(text, 'max-size'),
    block: number(text, 'block-size'),
  };
}

/** The slots of a device that KVM knows, lowest address first. */
export async function activeSlots(monitor: Monitor, device: string): Promise<readonly Slot[]> {
  const output = await monitor.command('info memslots');
  return [...output.matchAll(/^ *\d+ +(0x[0-9a-f]+) +(\d+) ?([KMGT])(?:iB)? +(\S+)$/gm)]
    .filter((match) => match[4] === device)
    .map(([, gpa, count, unit]) => ({
      gpa: Number(gpa),
      size: Number(count) * (UNITS[unit ?? ''] ?? Number.NaN),
    }));
}

/** Waits until the device has plugged exactly so much. */
export async function plugged(guest: LinuxGuest, device: string, size: number): Promise<void> {
  await expect.poll(async () => (await memoryDevice(guest.monitor, device)).size, POLL).toBe(size);
}

/** Waits until the guest's kernel counts exactly so much memory: it onlines what was plugged. */
export async function counted(guest: LinuxGuest, memTotal: number): Promise<void> {
  await expect.poll(() => guest.memTotal(), POLL).toBe(memTotal);
}

/** Asks for a size and waits until the guest has plugged it and counts `memTotal`; all in bytes. */
export async function resized(
  guest: LinuxGuest,
  device: string,
  size: number,
  memTotal: number,
): Promise<void> {
  await guest.request(device, String(size));
  await plugged(guest, device, size);
  await counted(guest, memTotal);
}
