import { existsSync, readFileSync } from 'node:fs';
import { release as osRelease } from 'node:os';
import type { MetadataModel } from '../memory/memslot-cost.ts';

/** What the host's KVM is, as far as sysfs tells. */
export interface HostKvm {
  /** The vendor module, as `kvm_amd`; undefined when it cannot be told. */
  readonly module: string | undefined;
  /** Whether it runs guest kernel code on the processor, and so can run a Linux kernel. */
  readonly hardware: boolean;
  /** Whether it has two-dimensional paging: without it every guest's page tables are shadowed. */
  readonly tdp: boolean;
  /** Whether it uses the TDP MMU, which does without reverse maps. */
  readonly tdpMmu: boolean;
  /** Whether its guests can run guests of their own. */
  readonly nesting: boolean;
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
  if (vendor === undefined) {
    return { module: undefined, hardware: true, tdp: false, tdpMmu: false, nesting: true };
  }
  const { module, hardware, paging } = vendor;
  const tdp = paging !== undefined && isSet(sysfs, module, paging);
  return {
    module,
    hardware,
    tdp,
    tdpMmu: tdp && isSet(sysfs, 'kvm', 'tdp_mmu'),
    nesting: isSet(sysfs, module, 'nested'),
  };
}

/** From here on a kernel has counters for write tracking only once something tracks. */
const LAZY_TRACKING = [6, 9] as const;

/** Where distributions keep what a kernel was built with. */
const KERNEL_CONFIGS = ['/boot/config-RELEASE', '/lib/modules/RELEASE/config'];

function isOlder(release: string, [major, minor]: readonly [number, number]): boolean {
  const [, ours, theirs] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  if (ours === undefined) return true;
  return Number(ours) < major || (Number(ours) === major && Number(theirs) < minor);
}

/**
 * Whether every memslot has counters for others than KVM that track writes (i915's GVT-g, in most
 * distributions): so it is in older kernels that were built for them.
 */
function tracksForOthers(release: string, configs: readonly string[]): boolean {
  if (!isOlder(release, LAZY_TRACKING)) return false;
  const config = configs.map((path) => readText(path.replace('RELEASE', release))).join('');
  const [, setting] =
    /^(?:# )?CONFIG_KVM_EXTERNAL_WRITE_TRACKING(=y| is not set)$/m.exec(config) ?? [];
  // Where nobody says, the dearer: a machine that was planned with too much starts all the same.
  return setting !== ' is not set';
}

/**
 * What a memslot costs on this host. Our guests have no system-management mode: slots are in one
 * address space only, whatever this KVM offers.
 *
 * @param release  the kernel's; a parameter for tests, as is `configs`
 */
export function metadataModel(
  host: HostKvm,
  release = osRelease(),
  configs: readonly string[] = KERNEL_CONFIGS,
): MetadataModel {
  return {
    reverseMaps: !host.tdpMmu,
    writeTracking: !host.tdp || tracksForOthers(release, configs),
    nesting: host.nesting,
  };
}

/** For `info memslots`: `TDP MMU, write tracking`. */
export function describeModel({ reverseMaps, writeTracking }: MetadataModel): string {
  return `${reverseMaps ? 'shadow MMU' : 'TDP MMU'}${writeTracking ? ', write tracking' : ''}`;
}
