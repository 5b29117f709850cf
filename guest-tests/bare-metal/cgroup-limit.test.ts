import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { Child } from '../harness/child.ts';
import { guestPath } from '../harness/guests.ts';
import { CLI } from '../harness/tsvmm.ts';

const V1 = '/sys/fs/cgroup/memory';
const V2 = '/sys/fs/cgroup';

/** Makes a cgroup with a limit, and one inside it, for the test. @returns the inner one, or undefined where that cannot be */
function limitedCgroup(bytes: number): { readonly inner: string; kills(): number } | undefined {
  for (const [parent, limit, kills] of [
    [V1, 'memory.limit_in_bytes', 'memory.oom_control'],
    [V2, 'memory.max', 'memory.events'],
  ] as const) {
    const outer = `${parent}/tsvmm-test-${process.pid}`;
    const inner = `${outer}/inner`;
    try {
      mkdirSync(outer);
      onTestFinished(() => rmdirSync(outer));
      writeFileSync(`${outer}/${limit}`, String(bytes));
      mkdirSync(inner);
      onTestFinished(() => rmdirSync(inner));
    } catch {
      continue;
    }
    const count = (): number =>
      Number(/^oom_kill (\d+)/m.exec(readFileSync(`${outer}/${kills}`, 'latin1'))?.[1]);
    return { inner, kills: count };
  }
  return undefined;
}

function runInside(inner: string, args: readonly string[]): Child {
  const script = `echo $$ > ${inner}/cgroup.procs && exec "$@"`;
  const child = new Child('sh', ['-c', script, 'sh', process.execPath, CLI, 'run', ...args]);
  onTestFinished(async () => {
    await child.stop();
  });
  return child;
}

it('memory beyond the limit of a cgroup above is refused, and nobody is killed for it', async (context) => {
  const cgroup = limitedCgroup(512 * 2 ** 20);
  if (cgroup === undefined) return context.skip('no memory cgroup can be made here');
  const kernel = ['--kernel', guestPath('agent'), '--monitor', 'none'];
  const guest = runInside(cgroup.inner, [
    ...[...kernel, '--memory', '64M', '--virtio-mem', 'size=4G,prealloc=on,requested-size=4G'],
    ...[
      '--append',
      'virtio init;plug 0x100000000 16;plug 0x108000000 512;plug 0x110000000 8;poweroff',
    ],
  ]);
  expect(await guest.exited).toEqual({ code: 0, signal: null });
  expect(guest.stdout.transcript).toMatch(/ok ack\r?\nok busy\r?\nok ack\r?\n/);
  expect(guest.stderr.transcript).toContain(`memory cgroup`);
  for (const kind of ['ram', 'memfd']) {
    const boot = ['--memory-backend', `${kind},id=m,size=1G,prealloc=on`, '--memory', 'memdev=m'];
    const refused = runInside(cgroup.inner, [...kernel, ...boot]);
    expect(await refused.exited).toEqual({ code: 1, signal: null });
    expect(refused.stderr.transcript).toMatch(
      /^tsvmm: memory backend m: cannot allocate 1 GiB: memory cgroup \S+: memory\S+=512 MiB, and .* of that are left\n$/,
    );
  }
  expect(cgroup.kills()).toBe(0);
});
