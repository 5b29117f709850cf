import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { log } from '../log.ts';
import { useSession } from './testing/use-session.ts';

const client = useSession();
const run = (line: string): Promise<string> => client.run(line);

describe('info virtio', () => {
  it('lists the devices', async () => {
    expect(await run('info virtio')).toBe(
      '/machine/peripheral/vm0 [virtio-mem]\n/machine/peripheral/vm1 [virtio-mem]\n',
    );
  });

  it('shows status and features by name', async () => {
    const text = await run('info virtio-status /machine/peripheral/vm0/virtio-backend');
    expect(text).toMatch(/^\/machine\/peripheral\/vm0:\n {2}device_name: {13}virtio-mem\n/);
    expect(text).toContain('  started:                 true\n');
    expect(text).toMatch(
      /status:\n(\tVIRTIO_CONFIG_S_[A-Z_]+: .*,\n){3}\tVIRTIO_CONFIG_S_DRIVER_OK/,
    );
    expect(text).toMatch(
      /Guest features:\n\tVIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE: .*,\n\tVIRTIO_F_VERS/,
    );
    expect(await run('info virtio-status vm1')).toContain(
      '  broken:                  true\n  broken_because:          unknown request type 9\n',
    );
  });

  it('shows a queue', async () => {
    expect(await run('info virtio-queue-status vm0 0')).toBe(
      [
        '/machine/peripheral/vm0:',
        '  device_name:          virtio-mem',
        '  queue_index:          0',
        '  inuse:                1',
        '  used_idx:             8',
        '  last_avail_idx:       9',
        '  requests:             9',
        '  VRing:',
        '    num:         128',
        '    desc:        0x1000',
        '    avail:       0x2000',
        '    used:        0x3000',
        '',
      ].join('\n'),
    );
  });

  it.each([
    ['info virtio-status vm7', "there is no object 'vm7'"],
    ['info virtio-status mem0', 'mem0 is no virtio device; try info virtio'],
    ['info virtio-queue-status vm0 1', 'queue=1: /machine/peripheral/vm0 has queues 0 to 0'],
    ['info virtio-queue-status vm0 -1', 'queue=-1: /machine/peripheral/vm0 has queues 0 to 0'],
    ['info virtio-queue-status vm1 0', 'the driver has not set up queue 0'],
  ])('refuses %s', async (line, error) => {
    expect(await run(line)).toContain(error);
  });
});

describe('interrupts', () => {
  it('are counted by wire and message', async () => {
    expect(await run('info irq')).toBe(
      'IRQ statistics for ioapic:\n 4: 12\nIRQ statistics for msi:\n24: 3\n',
    );
  });

  it('are routed by the I/O APIC', async () => {
    expect(await run('info pic')).toBe(
      [
        'pic0: irr=04 imr=fb isr=00 irq_base=30 elcr=0c',
        'pic1: irr=04 imr=fb isr=00 irq_base=38 elcr=0c',
        'ioapic0: id=0x00',
        '  pin 0  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical',
        '  pin 4  0x030000000000a924 dest=3 vec=36  active-lo level        lowest logical',
        '  pin 9  0x000000000000c023 dest=0 vec=35  active-hi level        fixed  physical',
        '  IRR      4',
        '  Remote IRR 9',
        '',
      ].join('\n'),
    );
  });

  it('arrive at local APICs', async () => {
    const text = await run('info lapic 1');
    expect(text).toMatch(
      /^dumping local APIC state for CPU 1\n\nLVT0\t 0x00010700 active-hi edge {2}masked/,
    );
    expect(text).toMatch(/^LVT1\t 0x00000400 .* NMI$/m);
    expect(text).toMatch(/^LVTT\t 0x000200ec .* periodic +Fixed {2}\(vec 236\)$/m);
    expect(text).toContain('DCR=0xb (divide by 1) initial_count = 1000 current_count = 10\n');
    expect(text).toContain('SPIV\t 0x000001ff APIC enabled, focus=on, spurious vec 255\n');
    expect(text).toContain('ICR\t 0x000c08fd logical edge de-assert all-self\n');
    expect(text).toContain('IRR\t 79\n');
    expect(text).toContain('ISR\t (none)\n');
    expect(text).toContain('DFR 0x0f');
  });

  it('go to every vCPU with nmi', async () => {
    expect(await run('nmi')).toBe('');
    expect(client.machine.calls).toEqual(['nmi']);
  });
});

describe('trees', () => {
  it('of memory are flat with -f', async () => {
    expect(await run('info mtree -f')).toBe(
      [
        'FlatView #0',
        ' AS "memory", root: system',
        ' Root memory region: system',
        '  0000000000000000-00000000bfffffff (prio 0, ram): pc.ram KVM',
        '  0000000100000000-000000013fffffff (prio 0, ram): pc.ram @00000000c0000000 KVM',
        '  0000000240000000-000000027fffffff (prio 0, ram): mem0 @0000000040000000 KVM',
        '',
        'FlatView #1',
        ' AS "I/O", root: io',
        ' Root memory region: io',
        '  00000000000003f8-00000000000003ff (prio 0, i/o): serial',
        '',
        '',
      ].join('\n'),
    );
  });

  it('of objects begin at /machine, or where they are asked to', async () => {
    expect(await run('info qom-tree')).toBe(
      '/machine (container)\n  /peripheral (container)\n' +
        '    /vm0 (virtio-mem-pci)\n    /vm1 (virtio-mem-pci)\n',
    );
    expect(await run('info qom-tree vm9')).toContain("there is no object 'vm9'");
    expect(await run('info qom-tree /objects')).toContain('  /mem1 (memory-backend-ram)\n');
  });

  it('of devices have properties and places', async () => {
    const text = await run('info qtree');
    expect(text).toMatch(
      /^bus: main-system-bus\n {2}type System\n {2}dev: serial, id ""\n {4}pio 0x3f8\/0x8\n/,
    );
    expect(text).toContain(
      '      dev: virtio-mem-pci, id "vm0"\n        memdev = "/objects/mem0"\n',
    );
    expect(text).toContain('        requested-size = 0 (0 B)\n');
    expect(text).toContain('addr 00:01.0, pci id 1af4:1058 (sub 1af4:1100)\n');
    expect(text).toContain('        bar 0: i/o at 0xc040 [0xc05f]\n');
    expect(text).toContain('        bar 2: mem of 0x4000, not placed\n');
    expect(await run('info qtree -b')).toBe(
      [
        'bus: main-system-bus',
        '  dev: serial, id ""',
        '  dev: pci-host, id ""',
        '    bus: pci.0',
        '      dev: pci-function, id ""',
        '      dev: virtio-mem-pci, id "vm0"',
        '',
      ].join('\n'),
    );
  });
});

describe('sums', () => {
  it('of memory', async () => {
    expect(await run('info memory_size_summary')).toBe(
      'base memory: 4294967296\nplugged memory: 1073741824\n',
    );
  });

  it('of what was counted, by target', async () => {
    const vm =
      'vm0\nprovider: tsvmm\n    requests-ack (cumulative): 7\n' +
      '    plug-latency (log2-histogram, ns): [2]=1 [3]=5\n';
    const vcpu = 'vcpu 0\nprovider: tsvmm\n    guest-time (cumulative, ms): 120\n';
    expect(await run('info stats')).toBe(vm + vcpu);
    expect(await run('info stats vm')).toBe(vm);
    expect(await run('info stats vcpu')).toBe(vcpu);
    expect(await run('info stats x')).toBe('Error: target=x: must be vm or vcpu\n');
  });

  it('name the accelerator', async () => {
    expect(await run('info kvm')).toBe('kvm support: enabled\n');
  });
});

describe('log', () => {
  it('goes to a file, behind what is there, and back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsvmm-'));
    const path = join(folder, 'log file');
    const logger = log('test');
    try {
      writeFileSync(path, 'before\n');
      expect(await run(`logfile "${path}"`)).toBe('');
      logger.error({ n: 1 }, 'in the file');
      expect(await run('logfile')).toBe('');
      expect(readFileSync(path, 'utf8')).toMatch(/^before\n\{.*"component":"test".*"in the file"/);
      expect(await run(`logfile ${folder}`)).toContain(`Error: cannot log to ${folder}`);
      expect(await run('logfile /dev/null')).toContain('not a regular file');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses levels that do not exist', async () => {
    expect(await run('log loud')).toMatch(/^Error: level=loud: must be none or one of silent, /);
    expect(await run('log info')).toBe('');
  });
});
