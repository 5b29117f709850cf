import type { Doorbell, DoorbellFactory, DoorbellOptions } from '../bus/doorbell.ts';
import { addon, type NativeVm } from '../kvm/addon.ts';

type DoorbellVm = Pick<NativeVm, 'assignIoeventfd' | 'deassignIoeventfd'>;

/** Doorbells that KVM rings without leaving the kernel: ioeventfds (KVM API 4.59). */
export class KvmDoorbells implements DoorbellFactory {
  readonly #vm: DoorbellVm;

  constructor(vm: DoorbellVm) {
    this.#vm = vm;
  }

  create(options: DoorbellOptions): Doorbell {
    const event = addon.createEventFd();
    const registration = { event, space: 'mmio', addr: options.gpa, size: 0 } as const;
    try {
      this.#vm.assignIoeventfd(registration);
    } catch (error) {
      event.close();
      throw error;
    }
    event.watch(options.onRing);
    let open = true;
    const close = (): void => {
      if (!open) return;
      open = false;
      this.#vm.deassignIoeventfd(registration);
      event.close();
    };
    return { close };
  }
}
