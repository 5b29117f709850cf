import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { Child } from '../harness/child.ts';
import { guestPath } from '../harness/guests.ts';
import { CLI } from '../harness/tsvmm.ts';

const V1 = '/sys/fs/cgroup/memory';
const V2 = '/sys/fs/cgroup';

/** Makes a cgroup with a limit, and one inside it, for the test. @returns the inner one, or undefined where that cannot be */
function limitedCgroup(bytes: number): { readonly inner: string; kills(): number } | undefined {
  for (const [parent, limit, kills, swap, noSwap] of [
    [V1, 'memory.limit_in_bytes', 'memory.oom_control', 'memory.memsw.limit_in_bytes', bytes],
    [V2, 'memory.max', 'memory.events', 'memory.swap.max', 0],
  ] as const) {
    const outer = `${parent}/tsvmm-test-${process.pid}`;
    const inner = `${outer}/inner`;
    try {
      mkdirSync(outer);
      onTestFinished(() => rmdirSync(outer));
      writeFileSync(`${outer}/${limit}`, String(bytes));
      if (existsSync(`${outer}/${swap}`)) writeFileSync(`${outer}/${swap}`, String(noSwap));
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

it('a guest that may touch more than the cgroup allows is warned of, and its devices too', async (context) => {
  const cgroup = limitedCgroup(512 * 2 ** 20);
  if (cgroup === undefined) return context.skip('no memory cgroup can be made here');
  const guest = ['--kernel', guestPath('hello'), '--monitor', 'none'];
  const warned = async (...args: string[]): Promise<readonly string[]> => {
    const child = runInside(cgroup.inner, [...guest, ...args]);
    expect(await child.exited).toEqual({ code: 0, signal: null });
    return child.stderr.transcript.split('\n').filter((it) => it.includes('memory cgroup'));
  };
  expect(await warned('--memory', '256M')).toEqual([]);
  expect(await warned('--memory', '256M', '--virtio-mem', 'size=4G')).toEqual([]);
  const boot = await warned('--memory', '1G');
  expect(boot).toHaveLength(1);
  expect(boot[0]).toMatch(/boot memory of 1 GiB .* memory cgroup \S+: memory\S+=512 MiB /);
  const device = await warned('--memory', '256M', '--virtio-mem', 'size=4G,requested-size=1G');
  expect(device).toHaveLength(1);
  expect(device[0]).toMatch(
    /256 MiB and 1 GiB asked of memory devices are more than memory cgroup/,
  );
  expect(
    await warned('--memory', '256M', '--virtio-mem', 'size=4G,requested-size=1G,prealloc=on'),
  ).toHaveLength(1);
  const file = ['--memory-backend', 'memfd,id=m,size=1G', '--memory', 'memdev=m'];
  expect(await warned(...file)).toHaveLength(1);
});
