import { describe, expect, it } from 'vitest';
import { GIB } from '../units.ts';
import { machineConfig } from './parse-options.ts';

const config = (options: object): Promise<unknown> =>
  machineConfig({ kernel: '/boot/vmlinuz', ...options });

describe('machineConfig', () => {
  it.each<[string, object, object]>([
    [
      'NUMA nodes',
      {
        cpus: 4,
        numa: [
          { type: 'node', cpus: [0, 1, 2], memory: '1G' },
          { type: 'node', cpus: 3, memory: 2 * GIB },
          { type: 'dist', src: 0, dst: 1, val: 30 },
        ],
      },
      {
        cpus: '4',
        numa: ['node,cpus=0-2,memory=1G', 'node,cpus=3,memory=2G', 'dist,src=0,dst=1,val=30'],
      },
    ],
    [
      'NUMA nodes without keys',
      { cpus: 2, numa: [{ type: 'node' }, { type: 'node', cpus: undefined }] },
      { cpus: 2, numa: ['node', 'node'] },
    ],
    [
      'memory on backends',
      {
        memory: { memdev: 'boot', size: GIB },
        memoryBackends: [
          {
            type: 'memfd',
            id: 'boot',
            size: '1G',
            hugetlb: false,
            hostNodes: [0, 1],
            policy: 'bind',
          },
          { type: 'file', id: 'more', size: '4G', memPath: '/dev/shm/x', share: true },
        ],
        virtioMem: [{ memdev: 'more', node: 0, requestedSize: '1G', dynamicMemslots: true }],
      },
      {
        memory: 'memdev=boot,size=1G',
        memoryBackends: [
          'memfd,id=boot,size=1G,hugetlb=off,host-nodes=0-1,policy=bind',
          'file,id=more,size=4G,mem-path=/dev/shm/x,share=on',
        ],
        virtioMem: ['memdev=more,node=0,requested-size=1G,dynamic-memslots=on'],
      },
    ],
  ])('takes %s as keys and as text', async (_name, keys, text) => {
    expect(await config(keys)).toEqual(await config(text));
  });

  it('has defaults', async () => {
    expect(await config({})).toMatchObject({
      ...{ kernel: '/boot/vmlinuz', commandLine: '', memorySize: GIB, cpus: 1, serial: true },
      ...{
        noReboot: false,
        onViolation: { read: 'zeros', write: 'stop' },
        pauseClock: 'stop',
        cpuAffinity: { kind: 'off' },
        virtioMem: [],
        memoryBackends: [],
      },
    });
  });

  it.each<[object, string]>([
    [{ kernel: undefined }, 'the option kernel is missing'],
    [{ memroy: '1G' }, 'unknown option memroy; the options are kernel, initrd'],
    [{ virtioMem: 'size=1G' }, 'the option virtioMem must be a list'],
    [{ virtioMem: [5] }, 'the option virtioMem[0] must be an object or a text'],
    [{ numa: [['node']] }, 'the option numa[0] must be an object or a text'],
    [{ qmp: 5 }, 'the option qmp must be a text or a list'],
    [{ qmp: [{}] }, 'the option qmp[0] must be a text'],
    [{ monitor: ['unix:x'] }, 'the option monitor must be a text'],
    [{ name: 5 }, 'the option name must be a text'],
    [{ serial: 'stdio' }, 'the option serial must be true or false'],
    [{ memory: ['1G'] }, 'the option memory must be a number or a text or an object'],
    [{ append: null }, 'the option append must be a text'],
    [{ numa: [{ type: 'nod' }] }, '--numa nod: unknown type nod'],
    [{ numa: [{ type: 'node', cpu: 1 }] }, '--numa node cpu=1: unknown key cpu'],
    [{ numa: [{ type: 'dist', src: 0, dst: 1 }] }, 'there is no node'],
    [{ numa: [{ type: 'node', cpus: '0,1' }] }, 'a value cannot contain a comma'],
    [{ virtioMem: [{ size: '3 M' }] }, 'size=3 M'],
    [{ onViolation: 'panic' }, 'panic'],
    [{ pauseClock: 'wait' as never }, '--pause-clock=wait: must be stop or run'],
  ])('refuses %j', async (options, why) => {
    await expect(config(options)).rejects.toMatchObject({ name: 'ConfigError' });
    await expect(config(options)).rejects.toThrow(why);
  });
});
