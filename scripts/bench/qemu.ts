import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { PROMPTS } from '../../guest-tests/harness/monitor.ts';
import type { CommandLine, Device, Linux, Machine, Vmm } from './vmm.ts';

const LIBRARIES = 'lib/x86_64-linux-gnu';

/** A QEMU: installed, or unpacked below a `usr` folder that is not the system's. */
interface Installation {
  readonly file: string;
  /** What comes before all other arguments. */
  readonly first: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Folders of firmware, for `-L`. */
  readonly data: readonly string[];
}

function cacheFolder(): string {
  const { TSVMM_CACHE: own, XDG_CACHE_HOME: base } = process.env;
  return own ?? join(base ?? join(homedir(), '.cache'), 'tsvmm');
}

function installation(file: string): Installation {
  const usr = dirname(dirname(file));
  const firmware = ['qemu', 'seabios'].map((name) => join(usr, 'share', name));
  const data = firmware.filter((path) => existsSync(path));
  if (!file.includes('/') || usr === '/usr' || data.length === 0) {
    return { file, first: [], env: process.env, data: [] };
  }
  const libraries = join(usr, LIBRARIES);
  const env = { ...process.env, QEMU_MODULE_DIR: join(libraries, 'qemu') };
  const loader = join(libraries, 'ld-linux-x86-64.so.2');
  if (!existsSync(loader)) return { file, first: [], env, data };
  const first = ['--inhibit-cache', '--library-path', libraries, file];
  return { file: loader, first, env, data };
}

function output({ file, first, env }: Installation, args: readonly string[]): string {
  return execFileSync(file, [...first, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

function hasQboot({ data }: Installation): boolean {
  const folders = data.length > 0 ? data : ['/usr/share/qemu', '/usr/share/seabios'];
  return folders.some((folder) => existsSync(join(folder, 'qboot.rom')));
}

function deviceArguments({ size, requested, dynamic }: Device, knowsDynamic: boolean) {
  const keys = ['virtio-mem-pci,id=vm0,memdev=mem0'];
  if (requested !== undefined) keys.push(`requested-size=${requested}`);
  if (dynamic && knowsDynamic) keys.push('dynamic-memslots=on');
  return [
    ...['-object', `memory-backend-ram,id=mem0,size=${size},reserve=off`],
    ...['-device', keys.join(',')],
  ];
}

/** No more than it needs: the more room there is beside a device, the larger are its memslots. */
function roomFor({ size }: Device): string {
  return size === '16T' ? '32T' : '2T';
}

/** Its best machine for the purpose: no device that the guest does not use, the fastest firmware. */
function linuxArguments(linux: Linux | undefined) {
  if (linux === undefined) return ['-cpu', 'qemu64,phys-bits=48'];
  return ['-cpu', 'host', '-initrd', linux.initrd, '-append', linux.append];
}

function machineArguments(
  machine: Machine,
  kernel: string,
  linux: Linux | undefined,
  knowsDynamic: boolean,
) {
  const { device, monitor, memory = '128M' } = machine;
  return [
    ...['-machine', 'q35,usb=off,sata=off,smbus=off,vmport=off', '-accel', 'kvm'],
    ...linuxArguments(linux),
    ...['-smp', '1', '-nodefaults', '-display', 'none'],
    ...[
      '-m',
      device === undefined ? memory : `${memory},maxmem=${roomFor(device)}`,
      '-kernel',
      kernel,
    ],
    ...(device === undefined ? [] : deviceArguments(device, knowsDynamic)),
    ...['-serial', 'stdio'],
    ...['-monitor', monitor === undefined ? 'none' : `unix:${monitor},server=on,wait=off`],
  ];
}

function vmmOf(found: Installation): Vmm {
  const version = /version ([\d.]+)/.exec(output(found, ['--version']))?.[1] ?? 'unknown';
  const data = found.data.flatMap((folder) => ['-L', folder]);
  const help = output(found, [...data, '-device', 'virtio-mem-pci,help']);
  const dynamicMemslots = help.includes('dynamic-memslots');
  const qboot = hasQboot(found);
  const fixed = [...data, ...(qboot ? ['-bios', 'qboot.rom'] : [])];
  return {
    name: 'qemu',
    title: `QEMU ${version} with ${qboot ? 'qboot' : 'SeaBIOS'}`,
    prompt: PROMPTS.qemu,
    dynamicMemslots,
    command: (machine, kernel, linux): CommandLine => ({
      file: found.file,
      args: [
        ...found.first,
        ...fixed,
        ...machineArguments(machine, kernel, linux, dynamicMemslots),
      ],
      env: found.env,
    }),
  };
}

/**
 * The QEMU to compare with: `QEMU` of the environment, the one that scripts/assets has unpacked, or
 * the installed one.
 *
 * @returns undefined when there is none
 * @throws Error when the one that the environment names does not run
 */
export function findQemu(): Vmm | undefined {
  const named = process.env['QEMU'];
  if (named !== undefined) return vmmOf(installation(named));
  const unpacked = join(cacheFolder(), 'qemu', 'usr', 'bin', 'qemu-system-x86_64');
  const file = existsSync(unpacked) ? unpacked : 'qemu-system-x86_64';
  try {
    return vmmOf(installation(file));
  } catch {
    return undefined;
  }
}
