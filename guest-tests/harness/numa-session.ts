import type { Monitor } from './monitor.ts';
import { GIB } from './sizes.ts';

/** Two nodes of two CPUs and 2 GiB each, with a memory device each: what the session is about. */
export const SESSION_MACHINE = {
  memory: '4G',
  cpus: 4,
  args: ['--numa', 'node,cpus=0-1', '--numa', 'node,cpus=2-3'],
  virtioMem: ['id=vm0,size=8G,node=0,requested-size=0', 'id=vm1,size=8G,node=1,requested-size=1G'],
} as const;

/** Bytes that vm0 and vm1 have plugged when the session begins, and when the guest has followed. */
export const SESSION_SIZES = { before: [0, GIB], after: [524_288_000, 209_715_200] } as const;

/** The session as a terminal shows it. */
export const SESSION = `\
(tsvmm) info memory-devices
Memory device [virtio-mem]: "vm0"
  memaddr: 0x140000000
  node: 0
  requested-size: 0
  size: 0
  max-size: 8589934592
  block-size: 2097152
  memdev: /objects/mem0
Memory device [virtio-mem]: "vm1"
  memaddr: 0x340000000
  node: 1
  requested-size: 1073741824
  size: 1073741824
  max-size: 8589934592
  block-size: 2097152
  memdev: /objects/mem1
(tsvmm) qom-set vm0 requested-size 500M
(tsvmm) qom-set vm1 requested-size 200M
(tsvmm) info memory-devices
Memory device [virtio-mem]: "vm0"
  memaddr: 0x140000000
  node: 0
  requested-size: 524288000
  size: 524288000
  max-size: 8589934592
  block-size: 2097152
  memdev: /objects/mem0
Memory device [virtio-mem]: "vm1"
  memaddr: 0x340000000
  node: 1
  requested-size: 209715200
  size: 209715200
  max-size: 8589934592
  block-size: 2097152
  memdev: /objects/mem1
`;

/**
 * Types the session's commands.
 *
 * @param followed  resolves when the guest has plugged what was requested
 * @returns what a terminal would show
 */
export async function runSession(monitor: Monitor, followed: () => Promise<void>): Promise<string> {
  let text = '';
  const type = async (line: string) => {
    text += `(tsvmm) ${line}\n${await monitor.command(line)}`;
  };
  await type('info memory-devices');
  await type('qom-set vm0 requested-size 500M');
  await type('qom-set vm1 requested-size 200M');
  await followed();
  await type('info memory-devices');
  return text;
}
