import { HostError } from '../errors.ts';
import { addon, type CpuidTable, type NativeKvm } from './addon.ts';
import { CAPABILITY, REQUIRED_CAPABILITIES } from './capabilities.ts';
import { guarded, isNativeError } from './kvm-error.ts';
import { Vm } from './vm.ts';

/** The only version that ever was (KVM API 4.1). */
const API_VERSION = 12;

/** What to do about an errno of open(), as a sentence. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOENT:
    'does not exist: load kvm_intel or kvm_amd, and enable virtualization in the firmware; ' +
    'inside a virtual machine, enable nested virtualization on its host; ' +
    'in a container, pass the device (--device /dev/kvm)',
  EACCES:
    'may not be opened by this user: add the user to the group that owns it ' +
    '(usermod -aG kvm USER) and log in again',
  EPERM: 'is forbidden here: a container needs the device passed to it (--device /dev/kvm)',
  ENODEV: 'has no driver behind it: load kvm_intel or kvm_amd',
  ENXIO: 'has no driver behind it: load kvm_intel or kvm_amd',
  EBUSY: 'is in use by another hypervisor of this host',
};

function openDevice(path: string): NativeKvm {
  try {
    return addon.openKvm(path);
  } catch (cause) {
    if (!isNativeError(cause)) throw cause;
    const advice = ADVICE[cause.code] ?? `cannot be opened: ${cause.message}`;
    throw new HostError('KVM_UNAVAILABLE', `${path} ${advice}`, { cause });
  }
}

function checkVersion(path: string, kvm: NativeKvm): void {
  let version: number;
  try {
    version = kvm.apiVersion();
  } catch (cause) {
    throw new HostError('KVM_UNAVAILABLE', `${path} is not a KVM device`, { cause });
  }
  if (version === API_VERSION) return;
  const message = `${path} speaks KVM API version ${version} and not ${API_VERSION}`;
  throw new HostError('KVM_VERSION', message);
}

function checkCapabilities(path: string, kvm: NativeKvm): void {
  const missing = REQUIRED_CAPABILITIES.filter(
    (name) => kvm.checkExtension(CAPABILITY[name]) === 0,
  );
  if (missing.length === 0) return;
  const names = missing.map((name) => `KVM_CAP_${name}`).join(', ');
  throw new HostError('KVM_INCOMPLETE', `${path} lacks ${names}: a newer kernel has them`);
}

/** `/dev/kvm`: what this host's KVM can do, and the way to VMs. */
export class KvmSystem {
  readonly #native: NativeKvm;

  private constructor(native: NativeKvm) {
    this.#native = native;
  }

  /** @throws HostError saying what to do when there is no usable KVM */
  static open(path = '/dev/kvm'): KvmSystem {
    const native = openDevice(path);
    try {
      checkVersion(path, native);
      checkCapabilities(path, native);
    } catch (error) {
      native.close();
      throw error;
    }
    return new KvmSystem(native);
  }

  /** @returns 0 when the capability is absent, else what it says (see CAPABILITY) */
  checkExtension(capability: number): number {
    return guarded(() => this.#native.checkExtension(capability));
  }

  /** What CPUID may say in a guest. */
  supportedCpuid(): CpuidTable {
    return guarded(() => this.#native.supportedCpuid());
  }

  /** The VM lives on when this handle is closed. */
  createVm(): Vm {
    return new Vm(guarded(() => this.#native.createVm()));
  }

  /** Idempotent. */
  close(): void {
    this.#native.close();
  }
}
