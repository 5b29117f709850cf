import type { AcpiTables } from '../acpi/tables.ts';
import { type BootOptions, bootGuest } from '../boot/boot-guest.ts';
import { HostError } from '../errors.ts';
import { ramRanges } from '../memory/layout.ts';
import type { MachineConfig } from './config/machine-config.ts';
import type { VmShell } from './vm-shell.ts';

/** What is booted, from where and into what. */
function bootOptions(config: MachineConfig, shell: VmShell, acpi: AcpiTables): BootOptions {
  return {
    memory: shell.memory,
    ram: ramRanges(config.memorySize),
    kernelPath: config.kernel,
    initrdPath: config.initrd,
    commandLine: config.commandLine,
    rsdp: acpi.rsdp,
  };
}

/**
 * Looks whether the guest can be loaded; changes nothing.
 *
 * @throws ConfigError when it cannot, HostError when the tables do not fit
 */
export function checkGuest(config: MachineConfig, shell: VmShell, acpi: AcpiTables): void {
  for (const { gpa, bytes } of acpi.tables) {
    if (shell.memory.isRam(gpa, bytes.length)) continue;
    throw new HostError('NO_MEMORY', 'the ACPI tables do not fit boot memory');
  }
  bootGuest({ ...bootOptions(config, shell, acpi), dry: true });
}

/**
 * Loads tables and guest afresh, and sets the vCPUs to its entry. All are parked.
 *
 * @param first  whether the vCPUs are as KVM has made them
 * @throws ConfigError when the guest cannot be loaded: nothing has changed then; HostError when the
 *   tables do not fit
 */
export function loadGuest(
  config: MachineConfig,
  shell: VmShell,
  acpi: AcpiTables,
  first: boolean,
): void {
  const { memory, vcpus } = shell;
  const { cpu } = bootGuest(bootOptions(config, shell, acpi));
  for (const { gpa, bytes } of acpi.tables) {
    if (!memory.write(gpa, bytes, bytes.length)) {
      throw new HostError('NO_MEMORY', 'the ACPI tables do not fit boot memory');
    }
  }
  vcpus.boot(cpu, first);
}
