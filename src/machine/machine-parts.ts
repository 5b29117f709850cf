import { buildAcpiTables, type AcpiTables } from '../acpi/tables.ts';
import type { SerialBackend } from '../devices/serial/backend.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import { VirtioPci } from '../virtio/pci-transport/virtio-pci.ts';
import type { MachineConfig } from './config/machine-config.ts';
import type { CpuPlacement } from './cpu-placement.ts';
import { KvmDoorbells } from './kvm-doorbells.ts';
import { KvmInterrupts } from './kvm-interrupts.ts';
import { createIoSpaces, type KvmIoSpaces } from './kvm-io-spaces.ts';
import { createMemoryDevices, guardedRegions, type MemoryDevice } from './memory-devices.ts';
import { placeMemoryDevices } from './memory-placement.ts';
import { acpiNuma, nodeCount } from './numa.ts';
import { Platform } from './platform.ts';
import { UnpluggedGuard } from './violations/unplugged-guard.ts';
import type { Violation, ViolationAction } from './violations/violation.ts';
import type { VmShell } from './vm-shell.ts';

/** What a machine consists of besides KVM, boot memory and vCPUs. */
export interface MachineParts {
  readonly spaces: KvmIoSpaces;
  readonly interrupts: KvmInterrupts;
  readonly platform: Platform;
  readonly memoryDevices: readonly MemoryDevice[];
  /** Of the memory devices, in their order. */
  readonly transports: readonly VirtioPci[];
  readonly guard: UnpluggedGuard;
  readonly acpi: AcpiTables;
}

export interface MachinePartsOptions {
  readonly config: MachineConfig;
  readonly shell: VmShell;
  readonly serial: SerialBackend | undefined;
  readonly placement: CpuPlacement;
  /** The guest wants a reset; called from within an exit. */
  readonly onReset: (cause: string) => void;
  readonly onPowerOff: () => void;
  /** Called before the vCPU gets its answer. */
  readonly onViolation: (violation: Violation, action: ViolationAction, vcpu: Vcpu) => void;
}

/** Makes the devices and what connects them. @throws ConfigError, HostError; the shell is to be closed */
export function buildParts(options: MachinePartsOptions): MachineParts {
  const { config, shell, serial, placement, onReset, onPowerOff, onViolation } = options;
  const { vm, memory, table, backends } = shell;
  const placed = placeMemoryDevices(config.virtioMem, {
    ramSize: config.memorySize,
    addressLimit: shell.addressLimit,
    nodeCount: nodeCount(config.numa),
    backends,
  });
  const spaces = createIoSpaces(vm);
  const interrupts = new KvmInterrupts(vm);
  const platform = new Platform({
    ports: spaces.ports,
    mmio: spaces.mmio,
    interrupts,
    serial: config.serial ? serial : undefined,
    onReset,
    onPowerOff,
  });
  const memoryDevices = createMemoryDevices(placed, { table, memory, backends });
  const guard = new UnpluggedGuard({
    regions: guardedRegions(memoryDevices),
    memory,
    mmio: spaces.mmio,
    policy: config.onViolation,
    onViolation,
  });
  const crowded = (): boolean => placement.makeRoom();
  const doorbells = new KvmDoorbells(vm);
  const transports = memoryDevices.map(({ device }) => {
    const transport = new VirtioPci({ device, memory, doorbells, crowded });
    platform.pci.addFunction(transport.function);
    device.onSizeChange(() => guard.plugged());
    return transport;
  });
  const acpi = buildAcpiTables({
    apicIds: shell.vcpus.all.map(({ id }) => id),
    serial: config.serial,
    numa: acpiNuma(config.numa, placed),
  });
  return { spaces, interrupts, platform, memoryDevices, transports, guard, acpi };
}
