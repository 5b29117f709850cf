import { createVm, type Vm, type VmOptions } from 'tsvmm';

/*
 * Two guests in one process share a budget of memory: what one gives back, the other gets.
 */

async function start(guest: VmOptions): Promise<Vm> {
  const vm = await createVm({
    ...guest,
    memory: '128M',
    virtioMem: [{ id: 'vm0', size: '8G', dynamicMemslots: true }],
  });
  vm.serial.resume();
  await vm.start();
  return vm;
}

/** @returns the sizes of both after memory has moved from the first to the second, in bytes */
export async function moveMemory(guest: VmOptions): Promise<readonly number[]> {
  await using first = await start(guest);
  await using second = await start(guest);
  const [from, to] = [first.memoryDevice('vm0'), second.memoryDevice('vm0')];
  await from.resize('4G');
  // Shrink first: at no time do both have it.
  await from.resize('1G');
  await to.resize('3G');
  return [(await from.state()).size, (await to.state()).size];
}
