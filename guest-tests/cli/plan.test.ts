import { describe, expect, it } from 'vitest';
import { GIB } from '../harness/sizes.ts';
import { startTsvmm } from '../harness/test-vm.ts';

async function plan(
  ...args: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = startTsvmm(['plan', ...args]);
  const { code } = await child.exited;
  return { code, stdout: child.stdout.transcript, stderr: child.stderr.transcript };
}

interface PlanJson {
  readonly host: { readonly addressBits: number };
  readonly metadata: { readonly atStart: number; readonly allPlugged: number };
  readonly devices: readonly { readonly guestMemmap: number }[];
}

describe('tsvmm plan', () => {
  it('says where memory goes, and what it costs', async () => {
    const { code, stdout } = await plan(
      ...['--memory', '4G', '--virtio-mem', 'size=16G,dynamic-memslots=on,memslot-size=1G'],
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/0x0 - 0xbfffffff +RAM, 3 GiB\n/);
    expect(stdout).toMatch(/0x140000000 - 0x53fffffff +vm0, 16 GiB\n/);
    expect(stdout).toContain('vm0: up to 16 of 1 GiB, as memory is plugged');
    expect(stdout).toContain('vm0: 256.00 MiB (64 B for each page of 4 KiB)');
    expect(stdout).toContain('Warning: all of it movable would be 4.0 times boot memory');
    expect(stdout).toContain('online_policy=auto-movable');
  });

  it('writes the same as JSON, and counts what is not there at the start', async () => {
    const args = ['--memory', '1G', '--json', '--virtio-mem'];
    const dynamic = await plan(...args, 'size=64G,dynamic-memslots=on');
    const fixed = await plan(...args, 'size=64G');
    const [a, b] = [dynamic, fixed].map(({ stdout }) => JSON.parse(stdout) as PlanJson);
    expect(a!.devices[0]!.guestMemmap).toBe(GIB);
    expect(a!.metadata.allPlugged).toBe(b!.metadata.allPlugged);
    expect(a!.metadata.atStart).toBeLessThan(b!.metadata.atStart);
    expect(b!.metadata.atStart).toBe(b!.metadata.allPlugged);
  });

  it('has nothing to warn of when boot memory is enough', async () => {
    const { stdout } = await plan('--memory', '8G', '--virtio-mem', 'size=8G');
    expect(stdout).not.toContain('Warning');
    expect(stdout).toContain('Linux guest: memhp_default_state=online_movable');
  });

  it('refuses what the guest cannot address, with the arithmetic', async () => {
    const { host } = JSON.parse((await plan('--json')).stdout) as PlanJson;
    const limit = 2 ** host.addressBits;
    const { code, stderr } = await plan('--virtio-mem', `size=${limit}`);
    expect(code).toBe(2);
    expect(stderr).toContain(`past the guest's ${host.addressBits}-bit limit`);
    expect(stderr).toMatch(/^[^\n]+\n$/);
  });
});
