import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MIB } from '../harness/sizes.ts';
import { bootAgent, startVm, tempDir } from '../harness/test-vm.ts';

describe('a PVH guest', () => {
  it('runs, speaks and powers off through ACPI: the process ends with 0', async () => {
    const vm = startVm({ guest: 'hello' });
    await vm.serial.expect('hello\n');
    expect(await vm.exited).toEqual({ code: 0, signal: null });
  });

  it('is told its memory, its CPUs and its command line', async () => {
    const vm = await bootAgent({ memory: '192M', cpus: 3, append: 'cpuid 0;info' });
    // What runs from the command line answers before the first prompt.
    await vm.serial.expect(/ok eax=.*\n/);
    const info = await vm.serial.expect(/ok memory=.*\n/);
    expect(info).toContain('cpus=3');
    expect(info).toContain('cmdline=cpuid 0');
    const memory = await vm.agent.field('info', 'memory');
    expect(memory).toBeGreaterThan(190 * MIB);
    expect(memory).toBeLessThanOrEqual(192 * MIB);
  });

  it('has RAM above 4 GiB when it is given more than 3 GiB', async () => {
    const vm = await bootAgent({ memory: '4G' });
    await vm.agent.ok('fill 0x100000000 1M 7');
    await vm.agent.ok('check 0x100000000 1M 7');
    await vm.agent.ok('fill 0xbff00000 1M 8');
    await vm.agent.ok('check 0x100000000 1M 7');
  });

  it('finds its initrd, byte for byte', async () => {
    const temp = tempDir();
    const initrd = Buffer.alloc(12_345);
    initrd.writeUInt32LE(0x1234_5678, 0);
    initrd.writeUInt32LE(0x9abc_def0, initrd.length - 4);
    writeFileSync(temp.file('initrd'), initrd);
    const vm = await bootAgent({ initrd: temp.file('initrd') });
    const info = await vm.agent.fields('info');
    expect(info['initrd-length']).toBe(initrd.length);
    const at = info['initrd'] ?? 0;
    expect(await vm.agent.number(`peek 4 ${at}`)).toBe(0x1234_5678);
    expect(await vm.agent.number(`peek 4 ${at + initrd.length - 4}`)).toBe(0x9abc_def0);
  });

  it('finds ACPI tables with good checksums', async () => {
    const vm = await bootAgent();
    const tables = await vm.agent.ok('acpi list');
    expect(tables).toMatch(/^rsdp=0x[0-9a-f]+:good/);
    expect(tables).not.toContain('bad');
    for (const name of ['FACP', 'DSDT', 'APIC', 'MCFG']) expect(tables).toContain(` ${name}=`);
  });

  it('sees the address width and the hypervisor in CPUID', async () => {
    const vm = await bootAgent({ cpus: 2 });
    const kvm = await vm.agent.fields('cpuid 0x40000000');
    expect(kvm['ebx']).toBe(0x4b4d564b); // "KVMK"
    const bits = (await vm.agent.field('cpuid 0x80000008', 'eax')) & 0xff;
    expect(bits).toBeGreaterThanOrEqual(36);
    expect(bits).toBeLessThanOrEqual(52);
  });
});

describe('a guest that cannot go on', () => {
  it('ends the process with 3, saying where it stood and why', async () => {
    const vm = startVm({ guest: 'stuck', args: ['--no-reboot'] });
    expect(await vm.exited).toEqual({ code: 3, signal: null });
    const said = vm.process.stderr.transcript;
    expect(said).toContain('vCPU 0 cannot go on: ');
    expect(said).toContain('likely reason: ');
    if (existsSync('/sys/module/kvm_amd')) {
      expect(said).toContain('triple fault\n');
      expect(said).toContain('its registers are lost');
      return;
    }
    // eax as the guest left it, and the instruction it stands at.
    expect(said).toMatch(/5afe/i);
    expect(said).toMatch(/\bcc\b/i);
  });
});
