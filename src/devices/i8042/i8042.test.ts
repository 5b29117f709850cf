import { describe, expect, it } from 'vitest';
import { FakeIoSpace } from '../../bus/testing/fake-io-space.ts';
import { I8042 } from './i8042.ts';

function createController() {
  const ports = new FakeIoSpace({ kind: 'port' });
  const resets: string[] = [];
  const controller = new I8042({ ports, onReset: (cause) => resets.push(cause) });
  return {
    controller,
    resets,
    status: () => ports.read(0x64, 1),
    command: (value: number) => ports.write(0x64, 1, value),
    data: () => ports.read(0x60, 1),
    send: (value: number) => ports.write(0x60, 1, value),
    portA: () => ports.read(0x92, 1),
    setPortA: (value: number) => ports.write(0x92, 1, value),
  };
}

describe('reset', () => {
  it('is what command 0xfe asks for, and every pulse of bit 0', () => {
    const { command, resets } = createController();
    for (const value of [0xff, 0xf1, 0xfd]) command(value);
    expect(resets).toEqual([]);
    for (const value of [0xfe, 0xf0]) command(value);
    expect(resets).toEqual(['i8042', 'i8042']);
  });

  it('is what port 0x92 does with bit 0', () => {
    const { setPortA, resets } = createController();
    setPortA(0x02);
    expect(resets).toEqual([]);
    setPortA(0x03);
    expect(resets).toEqual(['port 0x92']);
  });

  it('is what the output port does without bit 0', () => {
    const { command, send, resets } = createController();
    command(0xd1);
    send(0xdf);
    expect(resets).toEqual([]);
    command(0xd1);
    send(0xde);
    expect(resets).toEqual(['i8042']);
  });

  it('never makes a driver wait to ask for it', () => {
    const { status, send, command } = createController();
    send(0xff);
    command(0xd1);
    expect(status() & 0x02).toBe(0);
  });
});

describe('a probe', () => {
  it('finds a controller that passes its self test', () => {
    const { status, command, data } = createController();
    expect(status() & 0x01).toBe(0);
    command(0xaa);
    expect(status() & 0x01).toBe(0x01);
    expect(data()).toBe(0x55);
    expect(status() & 0x01).toBe(0);
    expect(data()).toBe(0x55);
  });

  it('reads the command byte back', () => {
    const { command, data, send } = createController();
    command(0x60);
    send(0x47);
    command(0x20);
    expect(data()).toBe(0x47);
    command(0xa7);
    command(0xad);
    command(0x20);
    expect(data()).toBe(0x77);
    command(0xa8);
    command(0xae);
    command(0x20);
    expect(data()).toBe(0x47);
  });

  it('takes one data byte for a command, and none for one that it gave up', () => {
    const { command, send, controller } = createController();
    command(0x60);
    send(0x47);
    send(0x11);
    expect(controller.state().commandByte).toBe(0x47);
    command(0x60);
    command(0xaa);
    send(0x11);
    expect(controller.state().commandByte).toBe(0x47);
  });

  it('learns at once that nothing is connected', () => {
    const { command, data, send, status } = createController();
    command(0xa9);
    expect(data()).toBe(0x01);
    command(0xab);
    expect(data()).toBe(0x01);
    command(0xd3);
    send(0x5a);
    expect(status() & 0x01).toBe(0x01);
    expect(data()).not.toBe(0x5a);
  });

  it('hears nothing from a keyboard', () => {
    const { send, status } = createController();
    send(0xf2);
    expect(status() & 0x01).toBe(0);
  });
});

it('shows one A20 gate through both ports', () => {
  const { portA, setPortA, command, send, data, controller } = createController();
  expect(portA()).toBe(0x02);
  setPortA(0x00);
  command(0xd0);
  expect(data()).toBe(0x01);
  command(0xd1);
  send(0x03);
  expect(portA()).toBe(0x02);
  setPortA(0x00);
  controller.reset();
  expect(portA()).toBe(0x02);
});

it('takes any sequence of bytes', () => {
  const { command, send, data, status, setPortA, controller } = createController();
  for (let round = 0; round < 3; round++) {
    for (let value = 0; value < 256; value++) {
      command(value);
      send(255 - value);
      setPortA(value);
      expect(data()).toBeLessThan(256);
      expect(status() & 0x02).toBe(0);
    }
  }
  controller.reset();
  expect(controller.state()).toEqual({ status: 0x14, commandByte: 0x34, outputPort: 0x03 });
});
