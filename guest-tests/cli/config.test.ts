import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { Monitor, PROMPTS } from '../harness/monitor.ts';
import { GIB } from '../harness/sizes.ts';
import type { TempDir } from '../harness/temp-dir.ts';
import { startTsvmm, tempDir } from '../harness/test-vm.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** A folder with the example and what it boots. */
function exampleFolder(): TempDir {
  const temp = tempDir();
  copyFileSync(join(ROOT, 'docs', 'examples', 'vm.yaml'), temp.file('vm.yaml'));
  symlinkSync(guestPath('agent'), temp.file('vmlinuz'));
  writeFileSync(temp.file('initrd'), 'nothing');
  return temp;
}

async function tsvmm(
  ...args: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = startTsvmm(args);
  const { code } = await child.exited;
  return { code, stdout: child.stdout.transcript, stderr: child.stderr.transcript };
}

interface Plan {
  readonly devices: readonly { readonly id: string }[];
  readonly guestOptions: string;
  readonly warnings: readonly string[];
}

describe('--config', () => {
  it('runs the machine of docs/examples/vm.yaml, changed by flags', async () => {
    const temp = exampleFolder();
    const child = startTsvmm([
      ...['run', '--config', temp.file('vm.yaml'), '--append', ''],
      ...['--virtio-mem', 'id=vm0,requested-size=1G', '--virtio-mem', 'id=more,size=2G'],
    ]);
    expect(await child.stdout.expect(/agent ready.*\n/)).toContain('cpus=2');
    const explain = () => child.describe();
    const monitor = await Monitor.open(temp.file('monitor.sock'), explain, PROMPTS.tsvmm);
    expect(await monitor.command('info name')).toBe('example\n');
    const devices = await monitor.command('info memory-devices');
    expect(devices.match(/(?<=: ")\w+(?=")/g)).toEqual(['vm0', 'vm1', 'more']);
    expect(devices.match(/(?<=requested-size: )\d+/g)).toEqual([String(GIB), '0', '0']);
    expect(devices.match(/(?<=max-size: )\d+/g)).toEqual(
      [64, 1, 2].map((size) => String(size * GIB)),
    );
    expect(await monitor.command('info memdev')).toContain('warm');
    const status = await tsvmm('ctl', temp.file('qmp.sock'), 'status');
    expect(status.stdout).toBe('running\n');
    monitor.client.write('quit\n');
    expect((await child.exited).code).toBe(0);
  });

  it('serves plan as well', async () => {
    const temp = exampleFolder();
    const { code, stdout } = await tsvmm('plan', '--config', temp.file('vm.yaml'), '--json');
    expect(code).toBe(0);
    const plan = JSON.parse(stdout) as Plan;
    expect(plan.devices.map(({ id }) => id)).toEqual(['vm0', 'vm1']);
    // What we show to copy is what we advise.
    const text = readFileSync(temp.file('vm.yaml'), 'utf8').replaceAll(/\s+/g, ' ');
    expect(text).toContain(` ${plan.guestOptions} `);
    expect(plan.warnings.join()).not.toContain('give it more with --memory');
  });

  it('that says what cannot be is refused with its line', async () => {
    const temp = exampleFolder();
    const example = readFileSync(temp.file('vm.yaml'), 'utf8');
    const lineOf = (text: string): number =>
      example.slice(0, example.indexOf(text)).split('\n').length;
    const file = temp.file('changed.yaml');
    for (const [from, to, why] of [
      ['cpus: 2', 'cpu: 2', 'unknown option "cpu"'],
      ['cpus: 2', 'cpus: 2000', '--cpus=2000: must be a whole number from 1 to 254'],
      [
        'requested-size: 512M',
        'requested-size: 3Q',
        'virtio-mem[0] requested-size="3Q": not a size',
      ],
      ['requested-size: 512M', 'requested-size: 65G', 'requested-size'],
      ['memdev: warm', 'memdev: cold', '--virtio-mem memdev=cold: no memory backend has this id'],
      ['kernel: vmlinuz', 'kernel: vmlinux', temp.file('vmlinux')],
    ] as const) {
      writeFileSync(file, example.replace(from, to));
      const { code, stderr } = await tsvmm('run', '--config', file, '--serial', 'none');
      expect({ code, stderr }).toMatchObject({ code: 2 });
      expect(stderr).toMatch(/^[^\n]+\n$/);
      expect(stderr).toContain(why);
      expect(stderr).toContain(`tsvmm: ${file}:${lineOf(from)}: `);
    }
    const none = await tsvmm('run', '--config', temp.file('none.yaml'));
    expect(none.code).toBe(2);
    expect(none.stderr).toMatch(/^tsvmm: --config \S+none.yaml: no such file\n$/);
  });
});
