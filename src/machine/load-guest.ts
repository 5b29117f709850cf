import type { AcpiTables } from '../acpi/tables.ts';
import { bootGuest } from '../boot/boot-guest.ts';
import { HostError } from '../errors.ts';
import { ramRanges } from '../memory/layout.ts';
import type { MachineConfig } from './config/machine-config.ts';
import type { VmShell } from './vm-shell.ts';

/**
 * Loads tables and guest afresh, and sets the vCPUs to its entry. All are parked.
 *
 * @param first  whether the vCPUs are as KVM has made them
 * @throws ConfigError when the guest cannot be loaded, HostError when the tables do not fit
 */
export function loadGuest(
  config: MachineConfig,
  shell: VmShell,
  acpi: AcpiTables,
  first: boolean,
): void {
  const { memory, vcpus } = shell;
  for (const { gpa, bytes } of acpi.tables) {
    if (!memory.write(gpa, bytes, bytes.length)) {
      throw new HostError('NO_MEMORY', 'the ACPI tables do not fit boot memory');
    }
  }
  const { cpu } = bootGuest({
    memory,
    ram: ramRanges(config.memorySize),
    kernelPath: config.kernel,
    initrdPath: config.initrd,
    commandLine: config.commandLine,
    rsdp: acpi.rsdp,
  });
  vcpus.boot(cpu, first);
}
