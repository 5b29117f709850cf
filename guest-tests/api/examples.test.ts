import { expect, it } from 'vitest';
import { moveMemory } from '../../docs/examples/balance.ts';
import { growAndShrink } from '../../docs/examples/grow.ts';
import { tryToGrow } from '../../docs/examples/why-not.ts';
import { guestPath } from '../harness/guests.ts';
import { GIB } from '../harness/sizes.ts';

const idle = { kernel: guestPath('agent') };
const following = { ...idle, append: 'virtio init 0;follow' };

it('grow.ts grows a guest, and shrinks it', async () => {
  const told: string[] = [];
  await growAndShrink(following, (text) => told.push(text));
  expect(told).toContain(`${4 * GIB} of ${4 * GIB} bytes`);
  expect(told.at(-1)).toBe('given back');
});

it('why-not.ts tells what to do', async () => {
  expect(await tryToGrow(following, '512M')).toBe('the guest has it');
  expect(await tryToGrow(following, '2G')).toMatch(/^ask for something else: vm0: .*more than/);
  expect(await tryToGrow(idle, '512M')).toBe(
    'wait, or ask for less: no driver has started the device',
  );
});

it('balance.ts moves memory from one guest to another', async () => {
  expect(await moveMemory(following)).toEqual([GIB, 3 * GIB]);
});
