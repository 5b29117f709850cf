import { describe, expect, it } from 'vitest';
import { QmpSchema } from '../harness/qmp-schema.ts';
import { Qmp } from '../harness/qmp.ts';
import { bootAgent, tempDir } from '../harness/test-vm.ts';
import type { Vm, VmOptions } from '../harness/vm.ts';

async function boot(options: VmOptions): Promise<{ vm: Vm; qmp: Qmp; schema: QmpSchema }> {
  const path = tempDir().file('qmp');
  const args = ['--qmp', `unix:${path}`, '--qmp-event-interval', '0', ...(options.args ?? [])];
  const vm = await bootAgent({ ...options, args });
  const qmp = await Qmp.open(vm, path);
  return { vm, qmp, schema: await QmpSchema.ask(qmp) };
}

const NUMA = ['--numa', 'node,cpus=0-1', '--numa', 'node,cpus=2-3'];
const FOLDER = tempDir;

/** Arguments that a command needs, or that make it say more. */
function argumentsOf(file: string): Readonly<Record<string, readonly object[]>> {
  const memory = { address: 0x10_0000, size: 4096 };
  return {
    'human-monitor-command': [{ 'command-line': 'info status', 'cpu-index': 3 }],
    'x-tsvmm-set-log': [{ level: 'warn', file: `${file}.log` }, { file: '' }],
    'x-tsvmm-query-memory-map': [{ id: 'vm0' }, { id: 'vm0', cells: 4096 }],
    'qom-list': [{ path: '/' }, { path: 'vm0' }],
    'qom-list-types': [{}, { abstract: true }],
    'qom-get': [
      { path: 'vm0', property: 'size' },
      { path: '/', property: 'machine' },
    ],
    'qom-set': [{ path: 'vm0', property: 'requested-size', value: 64 * 2 ** 20 }],
    'x-query-virtio-status': [{ path: 'vm0' }],
    'x-query-virtio-queue-status': [{ path: 'vm0', queue: 0 }],
    'x-tsvmm-query-registers': [{}, { 'cpu-index': 1 }],
    'x-tsvmm-query-lapic': [{}, { 'cpu-index': 1 }],
    memsave: [{ val: 0x10_0000, size: 4096, filename: `${file}.1` }],
    pmemsave: [{ val: 0, size: 4096, filename: `${file}.2` }],
    'x-tsvmm-read-memory': [memory, { ...memory, 'cpu-index': 0 }, { ...memory, address: 2 ** 45 }],
    'x-tsvmm-translate': [{ address: 0x10_0000 }, { address: 2 ** 62 }],
    'query-stats': [
      { target: 'vm' },
      { target: 'vm', providers: [{ provider: 'tsvmm' }] },
      { target: 'vcpu', providers: [{ provider: 'tsvmm' }] },
    ],
    'query-stats-schemas': [{}, { provider: 'tsvmm' }],
  };
}

describe('every answer', () => {
  it('is as the schema says that the server tells', async () => {
    const { vm, qmp, schema } = await boot({
      ...{ cpus: 4, args: NUMA },
      virtioMem: ['size=4G,node=1,requested-size=64M,dynamic-memslots=on', 'size=1G,id=idle'],
    });
    const { addr } = await vm.agent.initMem();
    await vm.agent.ok(`plug ${addr} 2`);
    const given = argumentsOf(FOLDER().file('memory'));
    // What is over after it comes last; the negotiation is.
    const last = ['system_reset', 'quit'];
    const without = ['qmp_capabilities', 'query-balloon', 'balloon'];
    const commands = schema.names('command').filter((it) => !without.includes(it));
    const others = commands.filter((it) => !last.includes(it));
    for (const command of [...others, ...last]) {
      for (const args of given[command] ?? [{}]) {
        schema.checkAnswer(command, await qmp.run(command, args));
      }
    }
    expect(Object.keys(given).filter((it) => !commands.includes(it))).toEqual([]);
  });
});

describe('every event', () => {
  it('is as the schema says that the server tells', async () => {
    const seen = new Set<string>();
    const first = await boot({ virtioMem: ['size=16G,block-size=2M,dynamic-memslots=on'] });
    const { schema } = first;
    const take = ({ event = '', data }: { event?: string; data?: unknown }): string => {
      schema.checkEvent(event, data);
      seen.add(event);
      return event;
    };
    const until = async (qmp: Qmp, wanted: string): Promise<void> => {
      while (take(await qmp.nextEvent()) !== wanted);
    };
    const { vm, qmp } = first;
    const { addr, block } = await vm.agent.initMem();
    await qmp.run('qom-set', { path: 'vm0', property: 'requested-size', value: 2 * block });
    await until(qmp, 'X_TSVMM_MEMORY_DEVICE_STALLED');
    await vm.agent.ok(`plug ${addr} 1`);
    await until(qmp, 'X_TSVMM_MEMORY_DEVICE_RESUMED');
    await vm.agent.ok(`plug ${addr + block} 1`);
    await until(qmp, 'X_TSVMM_MEMORY_DEVICE_CONVERGED');
    await qmp.run('system_powerdown');
    await until(qmp, 'POWERDOWN');
    vm.process.write(`poke 8 ${addr + 2 * block} 5\n`);
    await until(qmp, 'STOP');
    await qmp.run('system_reset');
    await until(qmp, 'RESET');
    await qmp.run('cont');
    await until(qmp, 'RESUME');
    // Another, whose guest comes to a bad end.
    const other = await boot({
      virtioMem: ['size=16G,dynamic-memslots=on'],
      args: ['--on-violation', 'kill'],
    });
    const place = await other.vm.agent.initMem();
    other.vm.process.write(`poke 8 ${place.addr} 5\n`);
    for (const event of await other.qmp.rest()) take(event);
    expect([...seen].toSorted()).toEqual([...schema.names('event')].toSorted());
  });
});
