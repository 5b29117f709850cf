import { addon, type NativeEventFd } from './addon.ts';
import { guarded } from './kvm-error.ts';

/**
 * A counter in the kernel that KVM signals (ioeventfd) or is signalled by (irqfd).
 *
 * @throws KvmError when the process has no descriptor left
 */
export function createEventFd(): NativeEventFd {
  return guarded(() => addon.createEventFd());
}
