import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROMPTS } from '../../guest-tests/harness/monitor.ts';
import type { CommandLine, Device, Linux, Machine, Vmm } from './vmm.ts';

const ROOT = join(import.meta.dirname, '..', '..');

function deviceArguments(device: Device): readonly string[] {
  const { size, requested, dynamic, hugePages } = device;
  const keys = [`dynamic-memslots=${dynamic ? 'on' : 'off'}`];
  if (requested !== undefined) keys.push(`requested-size=${requested}`);
  if (hugePages === undefined) return ['--virtio-mem', [`size=${size}`, ...keys].join(',')];
  return [
    ...['--memory-backend', `ram,id=mem0,size=${size},thp=${hugePages ? 'on' : 'off'}`],
    ...['--virtio-mem', ['memdev=mem0', ...keys].join(',')],
  ];
}

function command(machine: Machine, kernel: string, linux: Linux | undefined): CommandLine {
  const { device, monitor, memory = '128M' } = machine;
  const args = [
    ...[join(ROOT, 'dist', 'cli.cjs'), 'run', '--kernel', kernel, '--memory', memory],
    ...(linux === undefined ? [] : ['--initrd', linux.initrd, '--append', linux.append]),
    ...(device === undefined ? [] : deviceArguments(device)),
    ...['--serial', 'stdio', '--monitor', monitor === undefined ? 'none' : `unix:${monitor}`],
  ];
  return { file: process.execPath, args, env: process.env };
}

/** The tsvmm of this work tree, as built. */
export function findTsvmm(): Vmm {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  return {
    name: 'tsvmm',
    title: `tsvmm ${version} on Node.js ${process.versions.node}`,
    prompt: PROMPTS.tsvmm,
    dynamicMemslots: true,
    command,
  };
}
