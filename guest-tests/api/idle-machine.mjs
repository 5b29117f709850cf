/*
 * `node idle-machine.mjs created|stopped|violated`: makes a machine, brings it there, and says whether
 * the process lives on with nothing but it on the event loop.
 */
const ROOT = new URL('../../', import.meta.url);
const { createVm, setLogLevel } = await import(new URL('dist/index.js', ROOT).href);
setLogLevel('silent');

const vm = await createVm({
  kernel: new URL('guest-tests/guests/build/agent.elf', ROOT).pathname,
  append: 'virtio init;poke 8 0x100000000 1',
  memory: '64M',
  virtioMem: [{ size: '1G', dynamicMemslots: true }],
});
vm.serial.resume();
const events = vm.events();
const where = process.argv[2];
if (where !== 'created') await vm.start();
if (where === 'stopped') await vm.stop();
if (where === 'violated') while ((await events.next()).value.type !== 'stop');
await events.return?.();

vm.ended.then((end) => console.log(end.kind));
// It comes only where something else keeps the process.
await new Promise((resolve) => setTimeout(resolve, 100).unref());
console.log(await vm.status());
await vm.close();
