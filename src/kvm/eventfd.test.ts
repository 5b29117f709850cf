import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { NativeEventFd } from './addon.ts';
import { createEventFd } from './eventfd.ts';
import { EXIT_KIND } from './exit.ts';
import { loopTurn, NO_KVM, TinyGuest, type TinyGuestOptions } from './testing/tiny-guest.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function event(): NativeEventFd {
  const made = createEventFd();
  cleanups.push(() => made.close());
  return made;
}

function boot(options: TinyGuestOptions): TinyGuest {
  const guest = new TinyGuest(options);
  cleanups.push(() => guest.close());
  return guest;
}

/** A promise for the next ring, and how often it rang. */
function listen(watched: NativeEventFd): { rings: number; next: () => Promise<void> } {
  let wake: (() => void) | undefined;
  const state = {
    rings: 0,
    next: () => new Promise<void>((resolve) => (wake = resolve)),
  };
  watched.watch(() => {
    state.rings++;
    wake?.();
  });
  return state;
}

describe('an eventfd', () => {
  it('counts signals until it is drained', () => {
    const doorbell = event();
    expect(doorbell.drain()).toBe(false);
    doorbell.signal();
    doorbell.signal();
    expect(doorbell.drain()).toBe(true);
    expect(doorbell.drain()).toBe(false);
  });

  it('calls back once for the signals since the last call', async () => {
    const doorbell = event();
    const heard = listen(doorbell);
    const first = heard.next();
    doorbell.signal();
    doorbell.signal();
    await first;
    expect(heard.rings).toBe(1);
    expect(doorbell.drain()).toBe(false);
    const second = heard.next();
    doorbell.signal();
    await second;
    expect(heard.rings).toBe(2);
  });

  it('calls back no more once unwatched, and again once watched', async () => {
    const doorbell = event();
    const heard = listen(doorbell);
    expect(() => doorbell.watch(() => {})).toThrow('the EventFd is watched already');
    doorbell.unwatch();
    doorbell.unwatch();
    doorbell.signal();
    await loopTurn();
    expect(heard.rings).toBe(0);
    const again = listen(doorbell);
    await again.next();
    expect(again.rings).toBe(1);
  });

  it('may be closed from its own callback', async () => {
    const doorbell = event();
    await new Promise<void>((resolve) => {
      doorbell.watch(() => {
        doorbell.close();
        resolve();
      });
      doorbell.signal();
    });
    expect(() => doorbell.signal()).toThrow('the EventFd is closed');
    expect(() => doorbell.fd).toThrow('the EventFd is closed');
    expect(() => doorbell.watch(() => {})).toThrow('the EventFd is closed');
    doorbell.close();
    doorbell.unwatch();
  });

  it('refuses a callback that is none', () => {
    expect(() => event().watch(3 as unknown as () => void)).toThrow(
      'callback: expected a function',
    );
  });
});

describe.skipIf(NO_KVM !== '')('an ioeventfd', () => {
  it('rings for a port write of the guest, without an exit', async () => {
    const doorbell = event();
    const heard = listen(doorbell);
    // mov al, 5; out 0x30, al; out 0x10, al
    const code = [0xb0, 5, 0xe6, 0x30, 0xe6, 0x10];
    const guest = boot({ code, ranges: [{ base: 0x10 }, { base: 0x30 }] });
    const registration = { event: doorbell, space: 'port', addr: 0x30, size: 1 } as const;
    guest.vm.assignIoeventfd(registration);
    const rung = heard.next();
    guest.vcpu.run();
    await rung;
    expect(await guest.nextExit()).toMatchObject({ kind: EXIT_KIND.port, addr: 0x10 });
    expect(heard.rings).toBe(1);
    guest.vm.deassignIoeventfd(registration);
    guest.vcpu.setRegisters({ ...guest.vcpu.registers(), rip: 0x1000n });
    guest.vcpu.resume();
    const next = await guest.nextExit();
    expect(next.addr).toBe(0x30);
    expect(heard.rings).toBe(1);
  });

  it('rings for an MMIO write of any length, or of one value', async () => {
    const any = event();
    const seven = event();
    // mov [0x3000000], eax; mov [0x3000000], al; mov word [0x3001000], 6; … 7; out 0x10, al
    const code = [
      ...[0x89, 0x04, 0x25, 0, 0, 0, 3, 0x88, 0x04, 0x25, 0, 0, 0, 3],
      ...[0x66, 0xc7, 0x04, 0x25, 0, 0x10, 0, 3, 6, 0],
      ...[0xe6, 0x10],
      ...[0x66, 0xc7, 0x04, 0x25, 0, 0x10, 0, 3, 7, 0],
      ...[0xe6, 0x10],
    ];
    const guest = boot({ code, mode: 'user64', ranges: [{ base: 0x10 }] });
    guest.vm.assignIoeventfd({ event: any, space: 'mmio', addr: 0x300_0000, size: 0 });
    const match = { event: seven, space: 'mmio', addr: 0x300_1000, size: 2, datamatch: 7 } as const;
    guest.vm.assignIoeventfd(match);
    guest.vcpu.run();
    await guest.nextExit();
    expect([any.drain(), seven.drain()]).toEqual([true, false]);
    guest.vcpu.resume();
    await guest.nextExit();
    expect([any.drain(), seven.drain()]).toEqual([false, true]);
  });

  it('goes on when its JavaScript handle is closed', async () => {
    const doorbell = event();
    const guest = boot({ code: [0xe6, 0x30, 0xe6, 0x10], ranges: [{ base: 0x10 }] });
    guest.vm.assignIoeventfd({ event: doorbell, space: 'port', addr: 0x30, size: 1 });
    doorbell.close();
    guest.vcpu.run();
    expect(await guest.nextExit()).toMatchObject({ addr: 0x10 });
  });

  it('is refused twice at one place, by name', () => {
    const guest = boot({ code: [0xf4] });
    const registration = { event: event(), space: 'port', addr: 0x30, size: 1 } as const;
    guest.vm.assignIoeventfd(registration);
    expect(() => guest.vm.assignIoeventfd(registration)).toThrow(
      /^KVM_IOEVENTFD\(fd=\d+, addr=0x30, size=1, flags=0x2\): File exists \(EEXIST\)$/,
    );
    const foreign = { ...registration, event: guest.memory as unknown as NativeEventFd };
    expect(() => guest.vm.assignIoeventfd(foreign)).toThrow('event: expected a EventFd');
  });
});

describe.skipIf(NO_KVM !== '')('an irqfd', () => {
  it('raises an interrupt in the guest', async () => {
    const code = [
      // Vector 8 of the table at 0 is IRQ 0 of a PIC that was never programmed anew.
      // sti; spin: jmp spin
      ...[0xfb, 0xeb, 0xfe],
    ];
    const guest = boot({ code, irqchip: true, ranges: [{ base: 0x10 }] });
    // Handler: mov al, 0x77; out 0x10, al
    guest.memory.write(0x2000, Uint8Array.from([0xb0, 0x77, 0xe6, 0x10]));
    guest.memory.write(8 * 4, Uint8Array.from([0x00, 0x20, 0, 0]));
    const line = event();
    // GSI 5 goes to pin 0 of the master PIC.
    guest.vm.setGsiRouting(new Uint32Array([5, 0, 0, 0, 0]));
    guest.vm.assignIrqfd(line, 5);
    initialisePic(guest);
    guest.vcpu.run();
    line.signal();
    expect(await guest.nextExit()).toMatchObject({ addr: 0x10, data: 0x77n });
    guest.vm.deassignIrqfd(line, 5);
    expect(() => guest.vm.deassignIrqfd(line, 3)).not.toThrow();
  });

  it('is refused without an interrupt controller, by name', () => {
    const guest = boot({ code: [0xf4] });
    expect(() => guest.vm.assignIrqfd(event(), 5)).toThrow(
      /^KVM_IRQFD\(fd=\d+, gsi=5, flags=0x0\)/,
    );
  });
});

/** As firmware does: vectors from 8, nothing masked, in struct kvm_pic_state. */
function initialisePic(guest: TinyGuest): void {
  const state = guest.vm.getState('irqchip0');
  const pic = 8;
  state[pic + 2] = 0; // imr
  state[pic + 5] = 8; // irq_base
  state[pic + 12] = 1; // init4
  guest.vm.setState('irqchip0', state);
}

describe('descriptors', () => {
  it('are given back', () => {
    const count = (): number => readdirSync('/proc/self/fd').length;
    const before = count();
    for (let i = 0; i < 50; i++) createEventFd().close();
    expect(count()).toBe(before);
  });
});
