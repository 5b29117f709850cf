// The tour: grows and shrinks the guest, shows what everybody says of it, and checks it.
import { readFileSync } from 'node:fs';
import { explain, heading, size, step, typed } from './transcript.mjs';

const GIB = 2 ** 30;
/** What VmallocUsed may change by for other reasons, while a machine runs. */
const NOISE = 16 * 2 ** 20;
const KERNEL_WORDS = 'console=ttyS0 quiet tsvmm.plain memhp_default_state=online_movable';

/** Something shown was not as it should be. */
export class Untrue extends Error {}

function check(condition, otherwise) {
  if (!condition) throw new Untrue(otherwise);
}

/** The number in a line of some output. */
function numberIn(text, pattern, what) {
  const match = pattern.exec(text);
  check(match !== null, `no ${what} in:\n${text}`);
  return Number(match[1]);
}

const memTotalIn = (text) => numberIn(text, /MemTotal: *(\d+) kB/, 'MemTotal') * 1024;
const pluggedIn = (text) => numberIn(text, /^ *size: (\d+)$/m, 'size');
const onlineIn = (text) => numberIn(text, /(\d+) online/, 'online blocks');

/** A line of the host's /proc/meminfo, in bytes. */
function hostMemory(name) {
  const text = readFileSync('/proc/meminfo', 'utf8');
  return numberIn(text, new RegExp(`^${name}: *(\\d+) kB`, 'm'), name) * 1024;
}

/** Where the tables of large memslots are, among other things. */
const hostVmalloc = () => hostMemory('VmallocUsed');

const MEMORY = 'grep MemTotal /proc/meminfo';
/** Movable memory should be no more than three times the other: boot memory is 1 GiB. */
const GROWN_GIB = 3;
const BLOCKS = 'cat /sys/devices/system/memory/memory*/state | sort | uniq -c';

async function showGuest(machine) {
  const total = await machine.type(MEMORY);
  typed('guest# ', MEMORY, total);
  const states = await machine.type(BLOCKS);
  typed('guest# ', BLOCKS, states);
  return { total: memTotalIn(total), online: onlineIn(states) };
}

async function showMonitor(machine, command) {
  const answer = await machine.ask(command);
  typed('(tsvmm) ', command, answer);
  return answer;
}

/** Slots of the device that KVM has, and what all slots cost, now and as one static slot. */
async function showSlots(machine) {
  const answer = await showMonitor(machine, 'info memslots');
  return {
    count: [...answer.matchAll(/ vm0$/gm)].length,
    staticCost: numberIn(answer, /static slot per region: .*?\((\d+) bytes\)/, 'static cost'),
  };
}

async function boot({ version }, startMachine) {
  heading('Start a guest that may grow by 1 TiB');
  if (process.env.TSVMM_NESTED === '1') explain("('host' is the nested machine from here on.)");
  explain('This starts it, with 1 GiB of boot memory and nothing of the device plugged:');
  typed('$ ', 'tsvmm run --kernel vmlinuz --initrd initrd --append console=ttyS0 ... \\');
  typed('      ', '--virtio-mem size=1T,dynamic-memslots=on');
  const machine = startMachine(KERNEL_WORDS, 'size=1T,dynamic-memslots=on');
  await step(`booting Linux ${version}`, machine.booted());
  explain(
    'The guest has its boot memory, less what its kernel keeps for itself. Linux counts memory\n' +
      'in blocks of 128 MiB: 8 of them are online.',
  );
  const guest = await showGuest(machine);
  check(guest.total < GIB && guest.online === 8, 'the guest does not have just its boot memory');
  explain('KVM knows of no slot for the device, so it has set up no tables for it:');
  const slots = await showSlots(machine);
  check(slots.count === 0, 'KVM has a slot for a device with nothing plugged');
  return { machine, ...guest, ...slots };
}

/** Requests a size; resolves when it is plugged and the guest uses it. */
async function resize(machine, gib, expected) {
  const answer = await showMonitor(machine, `qom-set vm0 requested-size ${gib}G`);
  check(answer === '', 'the monitor refuses the size');
  const until = (ask, accept) => machine.askUntil(ask, accept);
  const settled = async () => {
    const isPlugged = (text) => pluggedIn(text) === gib * GIB;
    await until(() => machine.ask('info memory-devices'), isPlugged);
    await until(
      () => machine.type(MEMORY),
      (text) => memTotalIn(text) === expected.total,
    );
    await until(
      () => machine.type(BLOCKS),
      (text) => onlineIn(text) === expected.online,
    );
  };
  await step(`the guest goes to ${gib} GiB of the device`, settled());
}

async function visit(machine, gib, before) {
  const expected = { total: before.total + gib * GIB, online: before.online + gib * 8 };
  await resize(machine, gib, expected);
  explain('The monitor and the guest agree:');
  const devices = await showMonitor(machine, 'info memory-devices');
  check(pluggedIn(devices) === gib * GIB, `the device has not plugged ${gib} GiB`);
  const guest = await showGuest(machine);
  check(guest.total === expected.total, `the guest does not count ${gib} GiB more`);
  check(guest.online === expected.online, `the guest has not ${gib * 8} more blocks online`);
}

/** The host's memory before the machine and with so much plugged. */
function showCost(before, now, plugged) {
  explain('What the host has paid so far beyond the memory itself, most of it for tables in KVM:');
  typed('host# ', 'grep VmallocUsed /proc/meminfo');
  typed('', `${before / 1024} kB before the machine was started`);
  typed('', `${now / 1024} kB with ${plugged} plugged: ${size(now - before)} more`);
}

/** Starts the machine with one slot for the whole device. Resolves to what that takes. */
async function measureStatic(startMachine) {
  const before = hostVmalloc();
  const machine = startMachine(KERNEL_WORDS, 'size=1T');
  await step('starting the same machine with dynamic-memslots=off', machine.started());
  const taken = hostVmalloc() - before;
  await machine.close();
  return taken;
}

async function compareWithStatic(startMachine, dynamicCost, estimate) {
  heading('What one slot for the whole device would have cost');
  const available = hostMemory('MemAvailable');
  if (available < 2 * estimate + GIB) {
    explain(
      `About ${size(estimate)} of tables. This host has ${size(available)} available: not tried.`,
    );
    return;
  }
  explain('Nothing needs to be plugged to see that:');
  const cost = await measureStatic(startMachine);
  typed('', `${size(cost)} of tables in KVM, before the guest has a byte of the device;`);
  typed('', `with dynamic-memslots=on it was ${size(dynamicCost)}, with ${GROWN_GIB} GiB plugged.`);
  if (cost > 10 * NOISE) {
    check(dynamicCost < cost / 10, `with dynamic memslots KVM has taken ${size(dynamicCost)}`);
    return;
  }
  explain(
    'So little, because this KVM puts off most of its tables until the guest runs guests of its\n' +
      'own: 2.5 GiB at once then, for a slot of 1 TiB. Older kernels have them from the start, and\n' +
      'so has every KVM without a TDP MMU.',
  );
  check(dynamicCost < cost + NOISE, `with dynamic memslots KVM has taken ${size(dynamicCost)}`);
}

/**
 * Runs the tour and prints it.
 *
 * @param startMachine  starts tsvmm with kernel words and the keys of its memory device
 * @throws Untrue when something shown is not as it should be
 */
export async function runTour(guest, startMachine) {
  const vmallocBefore = hostVmalloc();
  const before = await boot(guest, startMachine);
  const { machine } = before;

  heading(`Grow to ${GROWN_GIB} GiB`);
  explain('One command in the monitor; the guest plugs block after block and uses them:');
  await visit(machine, GROWN_GIB, before);
  explain('Slots of 1 GiB have appeared where something is plugged:');
  const grown = await showSlots(machine);
  check(grown.count === GROWN_GIB, `${GROWN_GIB} GiB are in ${grown.count} slots`);
  const vmallocGrown = hostVmalloc();
  showCost(vmallocBefore, vmallocGrown, `${GROWN_GIB} GiB`);

  heading('Shrink to 1 GiB');
  explain('The guest moves its data together and gives the rest back, to the host as well:');
  await visit(machine, 1, before);
  const shrunk = await showSlots(machine);
  check(shrunk.count >= 1 && shrunk.count <= GROWN_GIB, 'the slots do not fit what is plugged');

  heading('Power off');
  explain('The guest ends, and tsvmm with it:');
  typed('guest# ', 'poweroff -f');
  const status = await step('waiting for tsvmm to end', machine.end('poweroff -f'));
  check(status === 0, `tsvmm ends with ${status}`);

  await compareWithStatic(startMachine, vmallocGrown - vmallocBefore, grown.staticCost);
  explain("Everything above was checked. 'scripts/demo --shell' leaves you in the guest.");
}
