import { afterEach, describe, expect, it, vi } from 'vitest';
import type { NativeMapping } from '../kvm/addon.ts';
import type { MemoryRegion } from '../memory/guest-memory.ts';
import { MIB } from '../units.ts';
import { FakeGuestMemory } from '../virtio/testing/fake-guest-memory.ts';
import type { MemoryBackend } from './memory-backends.ts';
import { StarvationWatch } from './starvation.ts';
import { FakeVcpu, registers } from './violations/testing/fake-vcpu.ts';

const PAGE = 4096;
const SIZE = MIB;
const CODE = 0x1000;
const USED = 0x8_0000;
/** mov rax, [rbx] */
const LOAD = Uint8Array.of(0x48, 0x8b, 0x03);

const watches: StarvationWatch[] = [];
afterEach(() => {
  for (const watch of watches.splice(0)) watch.close();
  vi.useRealTimers();
});

/** A vCPU that is about to use a page, on memory of which some pages are not there. */
function rig() {
  const missing = new Set([USED]);
  const state = { trouble: 'it is full' as string | undefined, running: true };
  const memory = new FakeGuestMemory(SIZE);
  memory.write(CODE, LOAD, LOAD.length);
  const residentBytes = vi.fn((offset: number, length: number) => {
    let bytes = 0;
    for (let at = offset; at < offset + length; at += PAGE) bytes += missing.has(at) ? 0 : PAGE;
    return Promise.resolve(bytes);
  });
  const mapping = { residentBytes } as unknown as NativeMapping;
  const backing = { mapping, size: SIZE, pageSize: PAGE, trouble: () => state.trouble };
  const backend = { id: 'm', user: 'boot memory', backing } as unknown as MemoryBackend;
  const region: MemoryRegion = { name: 'ram', gpa: 0, size: SIZE, mapping, offset: 0 };
  const fake = new FakeVcpu();
  fake.state = registers({ rip: BigInt(CODE), rbx: BigInt(USED + 8), rsp: 0x2000n });
  const whileParked = vi.fn();
  const onStarved = vi.fn();
  const watch = new StarvationWatch({
    backends: [backend],
    memory: Object.assign(memory, { regions: [region] }),
    vcpus: [fake.vcpu],
    isRunning: () => state.running,
    whileParked: (work) => {
      whileParked();
      return Promise.resolve(work());
    },
    onStarved,
  });
  watches.push(watch);
  return { watch, state, missing, fake, whileParked, onStarved, residentBytes };
}

describe('a vCPU', () => {
  it('starves where it uses a page that is not there, and the host has none', async () => {
    const error = await rig().watch.look();
    expect(error?.message).toBe(
      'memory backend m, boot memory: the host has no memory for the guest at 0x80008: it is full',
    );
  });

  it('does not while the host has memory, and is not held up for it', async () => {
    const { watch, state, whileParked } = rig();
    state.trouble = undefined;
    expect(await watch.look()).toBeUndefined();
    expect(whileParked).not.toHaveBeenCalled();
  });

  it('does not where what it uses is there, whatever else is not', async () => {
    const { watch, fake } = rig();
    fake.state = { ...fake.state, rbx: 0x3000n };
    expect(await watch.look()).toBeUndefined();
  });

  it('may wait while its machine stands still', async () => {
    const { watch, state } = rig();
    state.running = false;
    expect(await watch.look()).toBeUndefined();
    state.running = true;
    expect(await watch.look()).toBeDefined();
  });
});

describe('the watch', () => {
  it('ends with the first that starves, and tells of it once', async () => {
    vi.useFakeTimers();
    const { onStarved } = rig();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(onStarved).toHaveBeenCalledTimes(1);
  });

  it('ends when every page is there', async () => {
    vi.useFakeTimers();
    const { missing, residentBytes, whileParked } = rig();
    missing.clear();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(residentBytes).toHaveBeenCalledTimes(1);
    expect(whileParked).not.toHaveBeenCalled();
  });

  it('tells nobody after it was closed', async () => {
    vi.useFakeTimers();
    const { watch, onStarved } = rig();
    watch.close();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(onStarved).not.toHaveBeenCalled();
  });
});
