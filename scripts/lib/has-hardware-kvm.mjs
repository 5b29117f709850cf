// Exit code 0 when this machine's KVM runs guest kernels on the processor.
import { inspectHostKvm } from '../../dist/machine/host-kvm.js';
import { accessSync, constants } from 'node:fs';

try {
  accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  process.exitCode = inspectHostKvm().hardware ? 0 : 1;
} catch {
  process.exitCode = 1;
}
