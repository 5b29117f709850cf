import { createVm, type VmOptions } from 'tsvmm';

/*
 * Grows a guest as far as it is willing to go: from nothing to 4 GiB of a device of 1 TiB, and back.
 */

/**
 * @param guest   what to boot: a kernel with a driver for the memory device
 * @param report  is told of progress
 */
export async function growAndShrink(
  guest: VmOptions,
  report: (text: string) => void,
): Promise<void> {
  await using vm = await createVm({
    ...guest,
    memory: '128M',
    virtioMem: [{ id: 'vm0', size: '1T', dynamicMemslots: true }],
  });
  vm.serial.on('data', (bytes: Buffer) => report(bytes.toString()));
  await vm.start();
  const device = vm.memoryDevice('vm0');
  for await (const { size, requestedSize } of device.resize('4G', { timeoutMs: 60_000 })) {
    report(`${size} of ${requestedSize} bytes`);
  }
  await device.resize(0, { timeoutMs: 60_000 });
  report('given back');
}
