import { expect, it } from 'vitest';
import { Random } from '../harness/random.ts';
import { GIB, MIB } from '../harness/sizes.ts';
import { LinuxGuest } from '../linux/linux-guest.ts';
import { counted, plugged } from '../linux/memory.ts';

/** How long, in seconds; the machine under it is what is tried. */
const SECONDS = Number(process.env.TSVMM_SOAK_SECONDS ?? 3600);
const GUESTS = 3;
const CPUS = Number(process.env.TSVMM_SOAK_CPUS ?? 2);
const SIZES = [0, 256 * MIB, 512 * MIB, GIB, 2 * GIB];
const FILE = 24; // MiB: movable memory that must move when the guest shrinks
const SLACK_MS = 600_000;

const started = Date.now();
const elapsed = () => Math.round((Date.now() - started) / 1000);

async function growAndShrink(index: number, random: Random): Promise<number> {
  const guest = await LinuxGuest.boot({
    cpus: CPUS,
    memory: '384M',
    virtioMem: ['size=1T,dynamic-memslots=on'],
  });
  try {
    console.log(`${elapsed()} s: guest ${index} has booted`);
    const before = await guest.memTotal();
    await guest.run(
      `cd /tmp; dd if=/dev/urandom of=0 bs=1M count=${FILE} 2>&1; md5sum 0 >sum; cd /`,
    );
    let rounds = 0;
    for (; elapsed() < SECONDS; rounds++) {
      const size = random.pick(SIZES);
      await guest.request('vm0', `${size}`);
      await plugged(guest, 'vm0', size);
      await counted(guest, before + size);
      await guest.run('cd /tmp; cp 0 1; mv 1 0; md5sum -c sum; cd /');
      console.log(`${elapsed()} s: guest ${index}, round ${rounds}: ${size / MIB} MiB`);
    }
    return rounds;
  } finally {
    await guest.vm.close();
  }
}

const seed = Math.floor(Math.random() * 2 ** 31);
it(
  `three guests grow and shrink for ${SECONDS} s (seed ${seed})`,
  async () => {
    const indexes = [...Array(GUESTS).keys()];
    const rounds = await Promise.all(
      indexes.map((index) => growAndShrink(index, new Random(seed + index))),
    );
    expect(Math.min(...rounds)).toBeGreaterThan(0);
  },
  SECONDS * 1000 + SLACK_MS,
);
