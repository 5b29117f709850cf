// Starts QEMU for the nested machine.
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { CHANNELS } from './channels.mjs';

/** @returns {import('node:child_process').ChildProcess} */
export function startQemu({ program, job, l1, share, options, consoleLog }) {
  const args = qemuArguments({ job, l1, share, options, consoleLog });
  // setpriv: QEMU dies with us even when we are killed without notice. Detached:
  // Ctrl-C is for us to handle, QEMU must not see it.
  return spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
}

function qemuArguments({ job, l1, share, options, consoleLog }) {
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-machine', 'q35', '-accel', 'tcg,thread=multi'],
    // 48 address bits for devices of a terabyte; no 5-level paging, as on most machines.
    ...['-cpu', 'max,phys-bits=48,la57=off'],
    ...['-smp', `${options.cpus}`, '-m', options.memory],
    // The ELF file: an emulated CPU takes 3 s to unpack a bzImage.
    ...['-kernel', join(l1, 'vmlinux'), '-initrd', join(l1, 'initrd')],
    ...['-append', kernelCommandLine(job, options)],
    ...['-chardev', `file,id=log,path=${consoleLog}`, '-serial', 'chardev:log'],
    ...fileSystem('root', '/', ',readonly=on'),
    ...fileSystem('share', share, ''),
    ...['-device', 'virtio-serial-pci'],
    ...CHANNELS.flatMap((name, port) => serialPort(name, port, join(job, `${name}.sock`))),
  ];
}

function serialPort(name, port, path) {
  const model = port === 0 ? 'virtconsole' : 'virtserialport';
  const device = `${model},nr=${port},chardev=${name},name=${name}`;
  return ['-chardev', `socket,id=${name},path=${path}`, '-device', device];
}

function fileSystem(tag, path, more) {
  // remap: files of several host file systems may share their inode numbers.
  const fsdev = `local,id=${tag},path=${path},security_model=none,multidevs=remap${more}`;
  return ['-fsdev', fsdev, '-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`];
}

/** What tsc-khz.py measures; undefined where it cannot: then the kernel measures for itself. */
function tscKhz() {
  const script = join(import.meta.dirname, 'tsc-khz.py');
  const { status, stdout } = spawnSync('python3', [script], { encoding: 'utf8' });
  return status === 0 && /^[1-9]\d*\n$/.test(stdout) ? Number(stdout) : undefined;
}

function kernelCommandLine(job, options) {
  const words = ['console=ttyS0', 'quiet', 'loglevel=5', 'panic=-1', `tsvmm.job=${job}`];
  // QEMU keeps the emulated TSCs together but does not say so; without this the
  // clock is an HPET, whose every reading is an exit, and guests have no kvmclock.
  words.push('tsc=reliable');
  const khz = tscKhz();
  if (khz !== undefined) words.push(`tsc_early_khz=${khz}`);
  // On a busy machine ticks come too late for the kernel's test of the timer, which is fatal.
  words.push('no_timer_check');
  // A halted vCPU that polls takes the emulating CPU's time from one that runs.
  words.push('kvm.halt_poll_ns=0');
  return [...words, ...options.kernelWords].join(' ');
}
