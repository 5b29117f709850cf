import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Exit } from '../harness/child.ts';
import type { Monitor } from '../harness/monitor.ts';
import { Vm, type VmOptions } from '../harness/vm.ts';
import { Console, LINUX_LIMIT_MS } from './console.ts';

/** What to boot. The defaults: vmlinux, 1 GiB, one CPU, hotplugged memory is movable. */
export interface LinuxOptions extends Omit<VmOptions, 'guest' | 'kernel' | 'initrd'> {
  /** `vmlinux` enters by PVH, `vmlinuz` by the 64-bit boot protocol. */
  readonly kernel?: 'vmlinux' | 'vmlinuz';
  /** Which of Debian's kernels: that of the installed suite, or the newest of all suites. */
  readonly release?: Release;
  /** To which zone hotplugged memory goes: `memhp_default_state`. */
  readonly online?: 'online' | 'online_movable' | 'offline';
  /** Has the kernel itself, and what boots it anew, in its initramfs. */
  readonly kexec?: boolean;
}

export type Release = 'installed' | 'newest';

function assetsFolder(release: Release): string {
  const script = join(import.meta.dirname, '..', '..', 'scripts', 'assets');
  const name = release === 'newest' ? 'guest-kernel-new' : 'guest-kernel';
  const path = execFileSync(script, ['--path', name], { encoding: 'utf8' });
  return dirname(path.trim());
}

/** The version of a kernel, as `uname -r` shows it. */
export function kernelVersion(release: Release): string {
  return readFileSync(join(assetsFolder(release), 'version'), 'utf8').trim();
}

function vmOptions(options: LinuxOptions): VmOptions {
  const { kernel = 'vmlinux', release = 'installed', online = 'online_movable', ...more } = options;
  const { append = '', kexec = false, ...rest } = more;
  const assets = assetsFolder(release);
  return {
    memory: '1G',
    ...rest,
    kernel: join(assets, kernel),
    initrd: join(assets, kexec ? 'kexec-initrd' : 'initrd'),
    append: `console=ttyS0 quiet tsvmm.plain memhp_default_state=${online} ${append}`,
  };
}

/** A stock Linux kernel in a machine: its shell, what it says of its memory, the monitor. */
export class LinuxGuest {
  readonly vm: Vm;
  readonly console: Console;
  #monitor: Monitor | undefined;

  private constructor(options: LinuxOptions) {
    this.vm = new Vm(vmOptions(options));
    this.console = new Console(this.vm.serial, (text) => this.vm.process.write(text));
  }

  /** Starts a machine; resolves when its shell is there. */
  static async boot(options: LinuxOptions = {}): Promise<LinuxGuest> {
    const guest = new LinuxGuest(options);
    try {
      await guest.console.booted();
      guest.#monitor = await guest.vm.monitor();
      return guest;
    } catch (error) {
      await guest.vm.close();
      throw error;
    }
  }

  get monitor(): Monitor {
    if (this.#monitor === undefined) throw new Error('the guest has not booted');
    return this.#monitor;
  }

  /** Runs a command in the guest's shell. @returns what it prints */
  async run(command: string): Promise<string> {
    return await this.console.run(command);
  }

  /**
   * Lines of the kernel's log that match an extended regular expression, or none. The guest looks
   * for them: to bring the whole log over a serial port takes an emulated machine half a minute.
   */
  async logged(pattern: string): Promise<string> {
    return await this.run(`dmesg | grep -E '${pattern}' || true`);
  }

  /** As `run`, for a command that prints one number. */
  async number(command: string): Promise<number> {
    const output = (await this.run(command)).trim();
    if (!/^\d+$/.test(output)) throw new Error(`no number: ${JSON.stringify(output)}`);
    return Number(output);
  }

  /** `msi` or `msix` for each message-signalled interrupt of a virtio device; none with a wire. */
  async interruptModes(device: string): Promise<readonly string[]> {
    // Following the link first: the folder above it is the PCI device's.
    const modes = await this.run(
      `cat /sys/bus/virtio/devices/${device}/../msi_irqs/* 2>/dev/null || true`,
    );
    return modes.split('\n').filter((mode) => mode !== '');
  }

  /** Types a command that ends the guest or reboots it: nothing comes back. */
  type(command: string): void {
    this.vm.process.write(`${command}\n`);
  }

  /** MemTotal of /proc/meminfo, in bytes. */
  async memTotal(): Promise<number> {
    return (await this.number("awk '/^MemTotal:/ { print $2 }' /proc/meminfo")) * 1024;
  }

  /** Bytes of a memory block: 128 MiB in guests of less than 64 GiB. */
  async blockSize(): Promise<number> {
    return Number.parseInt(await this.run('cat /sys/devices/system/memory/block_size_bytes'), 16);
  }

  /** Addresses of the memory blocks that are online at and above `from`. */
  async onlineBlocks(from: number): Promise<readonly number[]> {
    const size = await this.blockSize();
    // Blocks may go while grep looks.
    const output = await this.run(
      `grep -slx online /sys/devices/system/memory/memory*/state; true`,
    );
    return [...output.matchAll(/memory(\d+)\/state$/gm)]
      .map(([, index]) => Number(index) * size)
      .filter((address) => address >= from)
      .sort((a, b) => a - b);
  }

  /** Asks the guest to plug so much, as a user writes it; does not wait. */
  async request(device: string, size: string): Promise<void> {
    const answer = await this.monitor.command(`qom-set ${device} requested-size ${size}`);
    if (answer !== '') throw new Error(`qom-set answers ${JSON.stringify(answer)}`);
  }

  /** Waits for the process to end by itself. */
  async exit(): Promise<Exit> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`the machine does not end\n${this.vm.describe()}`)),
        LINUX_LIMIT_MS,
      );
    });
    try {
      return await Promise.race([this.vm.exited, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
