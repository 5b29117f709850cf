import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { GIB } from '../../guest-tests/harness/sizes.ts';

/** The machine that was measured, for the report. */
export interface HostReport {
  readonly cpu: string;
  readonly processors: number;
  readonly memory: string;
  readonly kernel: string;
  readonly kvm: string;
  readonly hugePages: string;
  /** Load average of the last minute at the start: others on this machine spoil times. */
  readonly load: number;
}

/** The module behind /dev/kvm, as `kvm_amd (npt=Y, tdp_mmu=Y)`. */
function kvmModule(): string {
  const modules = readdirSync('/sys/module').filter((name) => /^kvm_\w+$/.test(name));
  const parameters = [...modules, 'kvm'].flatMap((module) =>
    ['npt', 'ept', 'tdp_mmu'].flatMap((name) => {
      const file = `/sys/module/${module}/parameters/${name}`;
      return existsSync(file) ? [`${name}=${readFileSync(file, 'utf8').trim()}`] : [];
    }),
  );
  return `${modules.join(', ') || 'unknown'} (${parameters.join(', ')})`;
}

export function hostReport(): HostReport {
  const processors = cpus();
  const thp = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8');
  return {
    cpu: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}`,
    processors: processors.length,
    memory: `${Math.round(totalmem() / GIB)} GiB`,
    kernel: release(),
    kvm: kvmModule(),
    hugePages: `transparent: ${/\[(\w+)\]/.exec(thp)?.[1] ?? 'unknown'}`,
    load: loadavg()[0] ?? 0,
  };
}

/** Bytes that can still be had without swapping. */
export function availableBytes(): number {
  const text = readFileSync('/proc/meminfo', 'utf8');
  return Number(/^MemAvailable:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
}

/** CPU time of all threads of a process so far, ms. */
export function cpuTimeMs(pid: number): number {
  const folder = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(folder).map((thread) =>
    Number(readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, value) => sum + value, 0) / 1e6;
}
