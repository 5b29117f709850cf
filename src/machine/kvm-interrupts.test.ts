import { expect, it } from 'vitest';
import { KvmInterrupts } from './kvm-interrupts.ts';

it('counts how often lines are raised and messages sent', () => {
  const interrupts = new KvmInterrupts({
    setGsiRouting: () => undefined,
    irqLine: () => undefined,
    assignIrqfd: () => undefined,
    deassignIrqfd: () => undefined,
  });
  const line = interrupts.line(4);
  for (const level of [true, true, false, true, false]) line.set(level);
  const route = interrupts.createMsiRoute();
  route.signal();
  route.update(0xfee0_0000, 0x41);
  route.signal();
  expect(interrupts.counts()).toEqual([
    { gsi: 4, kind: 'wire', count: 2 },
    { gsi: 24, kind: 'msi', count: 1 },
  ]);
  route.close();
  expect(interrupts.counts()).toHaveLength(1);
});
