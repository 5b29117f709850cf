import { describe, expect, it } from 'vitest';
import { runChild } from './testing/child.ts';
import { NO_KVM } from './testing/tiny-guest.ts';

/*
 * What only a process of its own can show: garbage collection, and ends of all kinds. The scripts
 * start with the prelude of testing/child.ts.
 */
describe.skipIf(NO_KVM !== '')('a process', () => {
  it('gets back every thread, descriptor and mapping of a closed VM', async () => {
    const { stdout, stderr } = await runChild(`
      const before = descriptors();
      for (let i = 0; i < 30; i++) {
        const { vm, memory } = start(SPIN);
        const event = addon.createEventFd();
        vm.assignIoeventfd({ event, space: 'port', addr: 0x30, size: 1 });
        event.watch(() => {});
        if (i % 2) await turn();
        vm.close(); memory.close(); event.close();
      }
      await turn();
      console.log(threads(), mappings(), descriptors() === before);
    `);
    expect({ stdout, stderr }).toEqual({ stdout: '0 0 true\n', stderr: '' });
  });

  it('gets them back too when JavaScript drops the handles', async () => {
    const { stdout, stderr } = await runChild(`
      const before = descriptors();
      const size = () => maps().length;
      const settle = async () => { for (let i = 0; i < 10; i++) { gc(); await turn(); await pass(1); } };
      const round = async () => {
        for (let i = 0; i < 10; i++) {
          const made = start(SPIN, { onExit: () => made.vcpu.resume() });
          const event = addon.createEventFd();
          event.watch(() => made.vm.irqLine(0, true));
          addon.mapMemory({ size: 4096, alignment: 4096, shared: false, noReserve: true, access: 'none' }).view(0, 4096);
        }
        await turn();
      };
      await round();
      console.log(threads() > 0);
      await settle();
      const left = size();
      for (let i = 0; i < 5; i++) { await round(); await settle(); }
      console.log(threads(), mappings(), descriptors() === before, size() - left < 20);
    `);
    expect({ stdout, stderr }).toEqual({ stdout: 'true\n0 0 true true\n', stderr: '' });
  });

  it('keeps a VM whose vCPU handle alone is held', async () => {
    const { stdout, stderr } = await runChild(`
      let seen = 0;
      const vcpu = start([0xe4, 0x10, 0xeb, 0xfc], { onExit: () => {} }).vcpu;
      for (let i = 0; i < 10; i++) { gc(); await turn(); }
      console.log(threads(), vcpu.id);
      vcpu.pause();
      process.exit(0);
    `);
    expect({ stdout, stderr }).toEqual({ stdout: '1 0\n', stderr: '' });
  });

  it('lives as long as a vCPU runs, and ends by itself when it is parked', async () => {
    const { stdout, stderr, code } = await runChild(`
      const { vcpu } = globalThis.keep = start(SPIN, { onExit: () => console.log('parked') });
      const event = globalThis.event = addon.createEventFd();
      event.watch(() => {});
      setTimeout(() => { console.log('still here'); vcpu.pause(); }, 100).unref();
    `);
    expect({ stdout, stderr, code }).toEqual({
      stdout: 'still here\nparked\n',
      stderr: '',
      code: 0,
    });
  });

  it('exits cleanly while vCPUs run', async () => {
    for (const end of ['process.exit(7)', 'process.reallyExit(7)', 'process.exitCode = 7']) {
      const { code, signal, stderr } = await runChild(`
        const all = globalThis.all = [start(SPIN), start([0xe4, 0x10, 0xeb, 0xfc])];
        await turn();
        for (const { vcpu } of all) if (${String(end.includes('exitCode'))}) vcpu.pause();
        ${end};
      `);
      expect({ end, code, signal, stderr }).toEqual({ end, code: 7, signal: null, stderr: '' });
    }
  });

  it('survives the end of a worker whose vCPUs run', async () => {
    const { stdout, stderr } = await runChild(`
      const { Worker } = require('node:worker_threads');
      const body = start.toString() + \`
        const addon = require(process.env.ADDON);
        const event = addon.createEventFd();
        event.watch(() => {});
        globalThis.kept = [start([0xeb, 0xfe]), event];
        addon.mapMemory({ size: 2 ** 28, alignment: 4096, shared: false, noReserve: true, access: 'read-write' })
          .adviseAsync(0, 2 ** 28, 23);
        require('node:worker_threads').parentPort.postMessage('up');
      \`;
      for (let i = 0; i < 5; i++) {
        const worker = new Worker(body, { eval: true });
        await new Promise((resolve) => worker.once('message', resolve));
        await worker.terminate();
      }
      console.log(threads(), mappings());
    `);
    expect({ stdout, stderr }).toEqual({ stdout: '0 0\n', stderr: '' });
  });

  it('leaves Node its signals', async () => {
    const { stdout, stderr } = await runChild(`
      const { vm, vcpu, memory } = start(SPIN);
      process.once('SIGUSR2', () => { console.log('signal'); vm.close(); memory.close(); });
      process.kill(process.pid, 'SIGUSR2');
    `);
    expect({ stdout, stderr }).toEqual({ stdout: 'signal\n', stderr: '' });
  });

  it('refuses misuse of handles instead of dying of it', async () => {
    const { stdout, stderr } = await runChild(`
      const kvm = addon.openKvm('/dev/kvm');
      const vm = kvm.createVm();
      const vcpu = vm.createVcpu(3);
      const memory = addon.mapMemory({ size: 4096, alignment: 4096, shared: false, noReserve: true, access: 'none' });
      const event = addon.createEventFd();
      const junk = [undefined, null, 0, -1, NaN, Infinity, 2 ** 64, 'x', {}, [], () => {}, 1n, -1n, Symbol('s'),
        new Uint8Array(3), new Proxy({}, {}), { get gpa() { throw new Error('getter'); } }];
      let calls = 0;
      const names = (it) => Object.getOwnPropertyNames(Object.getPrototypeOf(it))
        .filter((name) => !['constructor', 'id', 'fd', 'size', 'close', 'pause', 'watch'].includes(name));
      for (const object of [kvm, vm, vcpu, memory, event, addon]) {
        const methods = object === addon ? Object.keys(addon).filter((it) => it !== 'pageSize') : names(object);
        for (const name of methods) {
          for (const a of junk) for (const b of [undefined, 0, 'x', new Uint8Array(3), {}]) {
            if (name === 'createMemfd' || name === 'fallocate' || name === 'fallocateAsync') continue;
            try { const it = object[name](a, b); it?.catch?.(() => {}); } catch (error) {
              if (!(error instanceof Error)) console.log('not an error', name);
            }
            calls++;
          }
        }
        if (object === addon) continue;
        for (const other of [kvm, vm, vcpu, memory, event, {}, Object.create(object)]) {
          if (other === object) continue;
          for (const name of names(object)) {
            try { object[name].call(other, 0, 0, 0); console.log('not refused', name); } catch {}
          }
        }
        try { new object.constructor(); console.log('not refused'); } catch {}
      }
      vm.close();
      console.log(calls > 1000);
    `);
    expect({ stdout, stderr }).toEqual({ stdout: 'true\n', stderr: '' });
  });
});
