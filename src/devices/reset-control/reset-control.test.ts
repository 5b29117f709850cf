import { expect, it } from 'vitest';
import { ResetControl } from './reset-control.ts';

function createControl() {
  const resets: string[] = [];
  const control = new ResetControl({ onReset: (cause) => resets.push(cause) });
  return { control, resets, write: (value: number) => control.write(0, 1, value) };
}

it('resets when bit 2 goes from 0 to 1, whatever the type', () => {
  for (const [type, trigger] of [
    [0x00, 0x04],
    [0x02, 0x06],
    [0x0a, 0x0e],
  ] as const) {
    const { write, resets } = createControl();
    write(type);
    expect(resets).toEqual([]);
    write(trigger);
    expect(resets).toEqual(['port 0xcf9']);
    write(trigger);
    expect(resets).toHaveLength(1);
  }
});

it('resets for the single write that ACPI makes', () => {
  const { write, resets } = createControl();
  write(0x06);
  expect(resets).toHaveLength(1);
});

it('reads back its three bits, and 0 after a reset', () => {
  const { control, write, resets } = createControl();
  write(0xff);
  expect(control.read()).toBe(0x0e);
  control.reset();
  expect(control.state()).toEqual({ value: 0 });
  write(0x04);
  expect(resets).toHaveLength(2);
});
