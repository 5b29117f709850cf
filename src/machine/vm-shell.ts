import { ConfigError, HostError, messageOf } from '../errors.ts';
import type { CpuidTable } from '../kvm/addon.ts';
import { CAPABILITY } from '../kvm/capabilities.ts';
import { KvmSystem } from '../kvm/system.ts';
import type { Vm } from '../kvm/vm.ts';
import { GuestMemory } from '../memory/guest-memory.ts';
import { KVM_IDENTITY_MAP_BASE, KVM_TSS_BASE, layRam, ramRanges } from '../memory/layout.ts';
import { extraRamSlots, MemslotTable } from '../memory/memslot-table.ts';
import { hex } from '../units.ts';
import type { MachineConfig } from './config/machine-config.ts';
import { physicalAddressBits } from './cpuid.ts';
import { inspectHostKvm, type HostKvm } from './host-kvm.ts';
import type { MemoryBackends } from './memory-backends.ts';
import { packageSize, takeBootMemory, type BootMemory } from './numa.ts';
import { VcpuSet } from './vcpu-set.ts';

/** A VM before it has devices: KVM's part of it, boot memory, vCPUs. */
export interface VmShell {
  readonly vm: Vm;
  readonly vcpus: VcpuSet;
  readonly memory: GuestMemory;
  readonly table: MemslotTable;
  readonly backends: MemoryBackends;
  /** Exclusive end of what the guest can address, in bytes. */
  readonly addressLimit: number;
  readonly host: HostKvm;
  /** Closes something with the shell, after the VM that may use it. */
  own(resource: { close(): void }): void;
  /** As they were at power-on. All vCPUs are parked. */
  resetInterruptControllers(): void;
  /** Idempotent. */
  close(): void;
}

const CONTROLLERS = ['irqchip0', 'irqchip1', 'irqchip2', 'pit2'] as const;

/**
 * Takes over the backends: they are closed with the shell.
 *
 * @throws ConfigError, HostError; nothing is left then
 */
export function createVmShell(config: MachineConfig, backends: MemoryBackends): VmShell {
  // Memory outlives the VM that maps it, so it is first in and last out.
  const owned: { close(): void }[] = [backends];
  const close = (): void => {
    for (const resource of owned.splice(0).reverse()) resource.close();
  };
  try {
    const kvm = KvmSystem.open();
    owned.push(kvm);
    return buildShell(config, { kvm, backends, owned, close });
  } catch (error) {
    close();
    throw error;
  }
}

interface ShellParts {
  readonly kvm: KvmSystem;
  readonly backends: MemoryBackends;
  readonly owned: { close(): void }[];
  readonly close: () => void;
}

function buildShell(config: MachineConfig, parts: ShellParts): VmShell {
  const { kvm, backends, owned, close } = parts;
  const supported = kvm.supportedCpuid();
  const addressLimit = 2 ** physicalAddressBits(supported);
  const ram = ramRanges(config.memorySize);
  const last = ram.at(-1);
  if (last !== undefined && last.gpa + last.size > addressLimit) {
    const end = hex(last.gpa + last.size);
    const message = `--memory=${config.memorySize}: RAM ends at ${end}, past the guest's limit ${hex(addressLimit)}`;
    throw new ConfigError('ADDRESS_WIDTH', message);
  }
  const boot = takeBootMemory(config, backends);
  const vm = kvm.createVm();
  owned.push(vm);
  const host = inspectHostKvm();
  // With shadow paging KVM would look at every page of the slot, 2 to 4 ms for each GiB.
  if (host.tdpMmu) vm.unmapDeletedSlotsOnly();
  vm.setTssAddr(KVM_TSS_BASE);
  vm.setIdentityMapAddr(KVM_IDENTITY_MAP_BASE);
  const table = new MemslotTable(vm, kvm.checkExtension(CAPABILITY.NR_MEMSLOTS));
  const memory = addRam(boot, table);
  // After the memslots: the chips' I/O regions leave an SRCU grace period under way, and a memslot
  // waits for it to end (about 8 ms).
  vm.createIrqchip();
  vm.createPit();
  const controllers = CONTROLLERS.map((kind) => [kind, vm.getState(kind)] as const);
  return {
    vm,
    vcpus: createVcpus(vm, config, kvm, supported),
    memory,
    table,
    backends,
    addressLimit,
    host,
    own: (resource) => owned.unshift(resource),
    resetInterruptControllers: () => {
      for (const [kind, bytes] of controllers) vm.setState(kind, bytes);
    },
    close,
  };
}

function createVcpus(
  vm: Vm,
  config: MachineConfig,
  kvm: KvmSystem,
  supported: CpuidTable,
): VcpuSet {
  const { cpus } = config;
  const most = kvm.checkExtension(CAPABILITY.MAX_VCPUS);
  if (cpus > most) {
    throw new ConfigError('BAD_CPUS', `--cpus=${cpus}: this host's KVM has at most ${most}`);
  }
  try {
    return new VcpuSet(vm, supported, {
      cpus,
      packageCpus: packageSize(config),
      tscDeadline: kvm.checkExtension(CAPABILITY.TSC_DEADLINE_TIMER) > 0,
    });
  } catch (cause) {
    throw new HostError('VCPU_FAILED', `cannot create ${cpus} vCPUs: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** @param boot  in the order of its addresses */
function addRam(boot: readonly BootMemory[], table: MemslotTable): GuestMemory {
  const memory = new GuestMemory();
  const pieces = layRam(boot.map(({ size }) => size));
  table.promise(extraRamSlots(pieces.length), 'ram');
  for (const { part, offset, gpa, size } of pieces) {
    const mapping = boot[part]?.backing.mapping;
    if (mapping === undefined) continue;
    table.add({ gpa, size, mapping, offset, owner: 'ram', isBootMemory: true });
    memory.add({ name: 'ram', gpa, size, mapping, offset });
  }
  return memory;
}
