import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** A QEMU to compare with. */
export interface QemuBinary {
  readonly path: string;
  /** As 10.0.2. */
  readonly version: string;
  /** Whether virtio-mem knows dynamic-memslots there. */
  readonly dynamicMemslots: boolean;
}

/** What a machine under QEMU is made of; a subset of the options of tsvmm. */
export interface QemuMachine {
  readonly kernel: string;
  readonly append?: string;
  readonly memory?: string;
  readonly cpus?: number;
  readonly virtioMem?: readonly string[];
}

/** @returns undefined when there is none at `path` */
export function findQemu(path = 'qemu-system-x86_64'): QemuBinary | undefined {
  try {
    const text = execFileSync(path, ['--version'], { encoding: 'utf8' });
    const version = /version ([\d.]+)/.exec(text)?.[1] ?? 'unknown';
    const help = execFileSync(path, ['-device', 'virtio-mem-pci,help'], { encoding: 'utf8' });
    return { path, version, dynamicMemslots: help.includes('dynamic-memslots') };
  } catch {
    return undefined;
  }
}

/** `size` makes the backend; the other keys are those of QEMU's device. */
function memoryDevice(keys: string, index: number): readonly string[] {
  const parts = keys.split(',');
  const size = parts.find((part) => part.startsWith('size='));
  if (size === undefined) throw new Error(`no size in ${keys}`);
  const id = parts.find((part) => part.startsWith('id=')) ?? `id=vm${index}`;
  const rest = parts.filter((part) => part !== size && part !== id);
  return [
    ...['-object', `memory-backend-ram,id=mem${index},${size},reserve=off`],
    ...['-device', ['virtio-mem-pci', id, `memdev=mem${index}`, ...rest].join(',')],
  ];
}

/** qboot starts a PVH guest ten times as fast as SeaBIOS. */
function firmware(): readonly string[] {
  return ['/usr/share/qemu/qboot.rom', '/usr/share/seabios/qboot.rom'].some((it) => existsSync(it))
    ? ['-bios', 'qboot.rom']
    : [];
}

/** Arguments that make QEMU's best machine for the guest, as like to tsvmm's as can be. */
export function qemuArguments(machine: QemuMachine, monitorPath: string): readonly string[] {
  const devices = (machine.virtioMem ?? []).flatMap(memoryDevice);
  return [
    ...['-M', 'q35,usb=off,sata=off,smbus=off,vmport=off', '-accel', 'kvm', '-nodefaults'],
    ...['-cpu', 'qemu64,phys-bits=48', '-display', 'none'],
    ...firmware(),
    ...['-m', `${machine.memory ?? '128M'}${devices.length > 0 ? ',maxmem=8T' : ''}`],
    ...['-smp', String(machine.cpus ?? 1), '-kernel', machine.kernel],
    ...(machine.append === undefined ? [] : ['-append', machine.append]),
    ...devices,
    ...['-serial', 'stdio', '-monitor', `unix:${monitorPath},server=on,wait=off`],
  ];
}
