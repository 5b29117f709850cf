import { existsSync, readFileSync } from 'node:fs';
import type { MetadataModel } from '../memory/memslot-cost.ts';

/** What the host's KVM is, as far as sysfs tells. */
export interface HostKvm {
  /** The vendor module, as `kvm_amd`; undefined when it cannot be told. */
  readonly module: string | undefined;
  /** Whether it runs guest kernel code on the processor, and so can run a Linux kernel. */
  readonly hardware: boolean;
  /** Whether it uses the TDP MMU, which allocates reverse maps late. */
  readonly tdpMmu: boolean;
}

/** Modules that may be built in, so that their presence alone says little without the CPU flag. */
const VENDOR_MODULES = [
  { module: 'kvm_intel', cpuFlag: 'vmx', hardware: true, paging: 'ept' },
  { module: 'kvm_amd', cpuFlag: 'svm', hardware: true, paging: 'npt' },
  { module: 'kvm_pvm', cpuFlag: undefined, hardware: false, paging: undefined },
] as const;

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isSet(sysfs: string, module: string, parameter: string): boolean {
  return /^[Y1]/.test(readText(`${sysfs}/${module}/parameters/${parameter}`));
}

/**
 * Looks at the kernel modules behind /dev/kvm.
 *
 * @param sysfs    where modules are listed; a parameter for tests, as is `cpuinfo`
 */
export function inspectHostKvm(sysfs = '/sys/module', cpuinfo = '/proc/cpuinfo'): HostKvm {
  const flags = /^flags\s*:(.*)$/m.exec(readText(cpuinfo))?.[1]?.split(' ') ?? [];
  const vendor = VENDOR_MODULES.find(
    ({ module, cpuFlag }) =>
      existsSync(`${sysfs}/${module}`) && (cpuFlag === undefined || flags.includes(cpuFlag)),
  );
  if (vendor === undefined) return { module: undefined, hardware: true, tdpMmu: false };
  const twoDimensional = vendor.paging !== undefined && isSet(sysfs, vendor.module, vendor.paging);
  return {
    module: vendor.module,
    hardware: vendor.hardware,
    tdpMmu: twoDimensional && isSet(sysfs, 'kvm', 'tdp_mmu'),
  };
}

/**
 * What a memslot of ours costs on this host. Our guests have no system-management mode: slots are
 * in one address space only, whatever this KVM offers.
 */
export function metadataModel(host: HostKvm): MetadataModel {
  return { tdpMmu: host.tdpMmu, smm: false };
}

/** For `info memslots`: `TDP MMU, one address space`. */
export function describeModel(model: MetadataModel): string {
  const paging = model.tdpMmu ? 'TDP MMU' : 'shadow MMU';
  return `${paging}, ${model.smm ? 'two address spaces (SMM)' : 'one address space'}`;
}
