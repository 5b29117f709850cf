/* What threads do with the addon while they are ended. */

const MIB = 2 ** 20;
const MAP = { size: MIB, alignment: 4096, shared: false, noReserve: true, access: 'read-write' };
const IN_PORT_10 = [0xe4, 0x10, 0xeb, 0xfc];
const OUT_PORT_10 = [0xe6, 0x10, 0xeb, 0xfc];
const SPIN = [0xeb, 0xfe];
const kept = [];

/** A VM with one vCPU in real mode that runs `code`. */
function start(addon, code, onExit = () => {}) {
  const kvm = addon.openKvm('/dev/kvm');
  const vm = kvm.createVm();
  kvm.close();
  vm.setTssAddr(0xfffbd000);
  const memory = addon.mapMemory({ ...MAP, size: 0x10000 });
  memory.write(0x1000, Uint8Array.from(code));
  vm.setMemslot({ slot: 0, flags: 0, gpa: 0, size: 0x10000, mapping: memory, offset: 0 });
  vm.addIoRange({ space: 'port', base: 0x10, size: 1, read: 'sync', write: 'post', tag: 7 });
  const vcpu = vm.createVcpu(0);
  const sregs = vcpu.getState('sregs');
  sregs.fill(0, 0, 8);
  sregs.fill(0, 12, 14);
  vcpu.setState('sregs', sregs);
  const regs = new DataView(new ArrayBuffer(144));
  regs.setBigUint64(128, 0x1000n, true);
  regs.setBigUint64(136, 2n, true);
  vcpu.setState('regs', new Uint8Array(regs.buffer));
  const onPosted = () => {
    const words = new Uint32Array(vm.ioRing);
    words[16] = words[0];
    vm.ringDrained();
  };
  vm.setCallbacks({ onExit: () => onExit(vcpu), onPosted });
  vcpu.run();
  kept.push(vm, vcpu);
  if (kept.length > 20) kept.splice(0, 2);
  return { vm, vcpu, memory };
}

const refused = (call) => {
  try {
    call();
  } catch (error) {
    if (!(error instanceof Error)) throw new Error(`threw ${error}`);
  }
};

/** When what goes on for ever ends by itself, ms. */
export const patience = { end: Number.POSITIVE_INFINITY };

const forever = (step) => {
  while (performance.now() < patience.end) step();
};

const foreverAsync = async (step) => {
  for (;;) await step();
};

/** What keeps the addon busy: until somebody ends it. */
export const KINDS = {
  init() {},
  events(addon) {
    forever(() => {
      const event = addon.createEventFd();
      event.signal();
      event.drain();
      event.close();
    });
  },
  watchFaults(addon) {
    const event = addon.createEventFd();
    const mapping = addon.mapMemory(MAP);
    forever(() => mapping.watchFaults(event));
  },
  getState(addon) {
    const vm = addon.openKvm('/dev/kvm').createVm();
    vm.setTssAddr(0xfffbd000);
    vm.createIrqchip();
    const vcpu = vm.createVcpu(0);
    forever(() => {
      vcpu.setState('regs', vcpu.getState('regs'));
      vm.getState('clock');
      vcpu.getMsrs(Uint32Array.of(0x10));
    });
  },
  errors(addon) {
    forever(() => {
      refused(() => addon.fallocate(1, 0, 0, 0));
      refused(() => addon.openKvm('/nowhere'));
      refused(() => addon.openKvm(3));
      refused(() => addon.mapMemory({}));
      refused(() => addon.rawTerminal(0).restore());
    });
  },
  mappings(addon) {
    forever(() => {
      const mapping = addon.mapMemory(MAP);
      mapping.view(0, 4096);
      mapping.view(4096, 8192);
      mapping.protect(0, 4096, 'none');
      mapping.close();
    });
  },
  views(addon) {
    const mapping = addon.mapMemory(MAP);
    forever(() => mapping.view(0, 4096));
  },
  memfds(addon) {
    forever(() =>
      addon.closeMemfd(addon.createMemfd({ name: 'x', size: 4096, hugePageSize: 0, seal: true })),
    );
  },
  memfdKept(addon) {
    const fd = addon.createMemfd({ name: 'kept', size: MIB, hugePageSize: 0, seal: true });
    kept.push(addon.mapMemory({ ...MAP, shared: true, fd, fdOffset: 0 }));
    setInterval(() => {}, 1000);
  },
  vms(addon) {
    const kvm = addon.openKvm('/dev/kvm');
    forever(() => {
      const vm = kvm.createVm();
      vm.createVcpu(0);
      vm.close();
    });
  },
  pool(addon) {
    const size = 64 * MIB;
    const mapping = addon.mapMemory({ ...MAP, size });
    for (let at = 0; at < 4; at++) {
      void foreverAsync(async () => {
        await mapping.populate(0, size, 2);
        await mapping.adviseAsync(0, size, 4);
        await mapping.residentBytes(0, MIB);
        await mapping.adviseAsync(0, 4096, 9999).catch(() => {});
      });
    }
  },
  close(addon) {
    void foreverAsync(async () => {
      const { vm, memory } = start(addon, SPIN);
      const mapping = addon.mapMemory({ ...MAP, size: 64 * MIB });
      mapping.populate(0, 64 * MIB, 2).catch(() => {});
      vm.deleteMemslots(Uint32Array.of(0)).catch(() => {});
      await new Promise(setImmediate);
      vm.close();
      memory.close();
      mapping.close();
    });
  },
  exits(addon) {
    start(addon, IN_PORT_10, (vcpu) => vcpu.resume());
  },
  posted(addon) {
    start(addon, OUT_PORT_10);
  },
  watch(addon) {
    const event = addon.createEventFd();
    event.watch(() => event.signal());
    event.signal();
    setInterval(() => {}, 1000);
  },
  throws(addon) {
    const event = addon.createEventFd();
    event.watch(() => {
      event.signal();
      throw new Error('of the callback');
    });
    process.on('uncaughtException', () => {});
    event.signal();
    setInterval(() => {}, 1000);
  },
};

/** They end by themselves. */
export const ENDING = {
  uncaught(addon) {
    start(addon, IN_PORT_10, (vcpu) => {
      vcpu.resume();
      if (Math.random() < 0.01) throw new Error('of the callback');
    });
  },
  exit(addon) {
    start(addon, IN_PORT_10, (vcpu) => {
      vcpu.resume();
      if (Math.random() < 0.01) process.exit(3);
    });
    addon.mapMemory({ ...MAP, size: 256 * MIB }).populate(0, 256 * MIB, 2);
  },
  memoryLimit(addon) {
    start(addon, IN_PORT_10, (vcpu) => vcpu.resume());
    const all = [];
    const more = () => {
      for (let at = 0; at < 1000; at++) all.push(addon.createEventFd(), new Array(1000).fill(at));
      setImmediate(more);
    };
    more();
  },
};
