import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../errors.ts';
import { parseVirtioMemOptions } from '../../machine/config/virtio-mem-option.ts';
import { temporaryFolder } from '../../terminal/testing/temporary-folder.ts';
import { ConfigFile } from './config-file.ts';

let folder: string;
beforeEach(() => (folder = temporaryFolder()));

function read(text: string, name = 'vm.yaml'): ConfigFile {
  const file = join(folder, name);
  writeFileSync(file, text);
  return new ConfigFile(file);
}

type Options = Readonly<Record<string, unknown>>;

const DEFAULTS: Options = { append: '', cpus: '1', serial: 'stdio', virtioMem: [], qmp: [] };

/** The file, with these flags beside it. */
function merged(text: string, flags: Options = {}): Options {
  return read(text).merge({ ...DEFAULTS, ...flags }, (name) => Object.hasOwn(flags, name));
}

function refusal(text: string, name?: string): string {
  try {
    read(text, name);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return String(error).replace('ConfigError: ', '').replace(`${folder}/`, '');
  }
  return 'it was read';
}

describe('a configuration file that is nested deeply', () => {
  const depth = 20_000;
  it.each([
    ['lists', `kernel: ${'['.repeat(depth)}${']'.repeat(depth)}`, 'vm.yaml'],
    ['maps', `kernel: ${'{a: '.repeat(depth)}1${'}'.repeat(depth)}`, 'vm.yaml'],
    // Worker threads have more stack than the main thread.
    ['blocks', `kernel:\n  ${'- '.repeat(depth)}1`, 'vm.yaml'],
    ['JSON', `{"kernel":${'['.repeat(depth)}${']'.repeat(depth)}}`, 'vm.json'],
  ])('in %s is refused in words', (_name, text, name) => {
    expect(refusal(text, name)).toMatch(/^vm\.(yaml|json):\d+: nested too deeply$/);
  });
});

describe('a configuration file', () => {
  it('has every kind of value, as on the command line', () => {
    expect(
      merged(`
$schema: anything
memory: 0x40000000
cpus: 4
no-reboot: true
on-violation: kill
log-level: warn
qmp-event-interval: 50
numa:
  - {type: node, cpus: [0, 2-3], memory: 512M}
  - {type: node, cpus: 1}
  - {type: dist, src: 0, dst: 1, val: 30}
virtio-mem:
  - size: 1073741824
    dynamic-memslots: on
    prealloc: false
    protect-unplugged: auto
    unplugged-inaccessible: true
memory-backend:
  - type: ram
    id: m0
    size: 1.5G
`),
    ).toEqual({
      ...{ append: '', serial: 'stdio', qmp: [] },
      memory: '1073741824',
      cpus: '4',
      reboot: false,
      onViolation: 'kill',
      logLevel: 'warn',
      qmpEventInterval: '50',
      numa: ['node,cpus=0,cpus=2-3,memory=512M', 'node,cpus=1', 'dist,src=0,dst=1,val=30'],
      virtioMem: [
        'size=1073741824,dynamic-memslots=on,prealloc=off,protect-unplugged=auto,unplugged-inaccessible=on',
      ],
      memoryBackend: ['ram,id=m0,size=1.5G'],
    });
    expect(merged('memory: {memdev: m0}')).toMatchObject({ memory: 'memdev=m0' });
    expect(merged('no-reboot: off')).toMatchObject({ reboot: true });
  });

  it('is JSON when it is called so', () => {
    const json = '{\n\t"cpus": 3,\n\t"virtio-mem": [{ "size": "1G", "prealloc": true }]\n}';
    const options = read(json, 'vm.json').merge(DEFAULTS, () => false);
    expect(options).toMatchObject({ cpus: '3', virtioMem: ['size=1G,prealloc=on'] });
    expect(refusal('{"cpus": 3,}', 'vm.json')).toMatch(/^--config vm.json: .*JSON/);
    expect(refusal('{"cpus": 3,\n "cpus": 4}', 'vm.json')).toMatch(/^vm.json:2: .*unique/);
  });

  it('knows anchors', () => {
    const text = 'virtio-mem:\n  - &it {size: 1G}\n  - *it\nmemory: &m 2G\nname: *m\n';
    expect(merged(text)).toMatchObject({ virtioMem: ['size=1G', 'size=1G'], name: '2G' });
  });

  it('has paths relative to itself', () => {
    expect(
      merged(`
kernel: images/vmlinuz
initrd: /initrd
serial: file:log
monitor: unix:../mon.sock
qmp: [unix:qmp.sock, 'tcp:4444']
memory-backend: [{type: file, id: f, mem-path: ./memory}]
`),
    ).toMatchObject({
      kernel: join(folder, 'images/vmlinuz'),
      initrd: '/initrd',
      serial: `file:${folder}/log`,
      monitor: `unix:${join(folder, '../mon.sock')}`,
      qmp: [`unix:${folder}/qmp.sock`, 'tcp:4444'],
      memoryBackend: [`file,id=f,mem-path=${folder}/memory`],
    });
  });

  it('takes text in several lines that YAML folds into one', () => {
    expect(merged('append: >-\n  quiet\n  nokaslr')).toMatchObject({ append: 'quiet nokaslr' });
  });

  it.each([
    ['kernle: x', 'vm.yaml:1: unknown option "kernle"; the options are kernel, initrd, '],
    ['\ncpus: two', 'vm.yaml:2: cpus="two": must be a whole number that is not negative'],
    ['cpus: 1.5', 'vm.yaml:1: cpus=1.5: must be a whole number'],
    ['cpus: -1', 'vm.yaml:1: cpus=-1: must be'],
    ['cpus:', 'vm.yaml:1: cpus=null: there is no value'],
    ['memory: 1Q', 'vm.yaml:1: memory="1Q": not a size; write bytes'],
    ['memory: -5', 'vm.yaml:1: memory=-5: must be bytes, or text'],
    ['memory: 99999999999999999999', 'vm.yaml:1: memory=100000000000000000000: must be bytes'],
    ['cpus: .inf', 'vm.yaml:1: cpus=Infinity: must be'],
    ['name: {a: {b: c}}', 'vm.yaml:1: name={}: must be text'],
    ['name: [{? {a: b} : c}]', 'vm.yaml:1: name=[{}]: must be text'],
    ['memory-backend: [{type: [*a]}]\nname: &a x', 'vm.yaml:1: memory-backend[0] type=[null]: '],
    ['name: &a [*a, *a]', 'vm.yaml:1: name=[{},{}]: must be text'],
    ['name: 5', 'vm.yaml:1: name=5: must be text; put it in quotation marks'],
    ['kernel: ""', 'vm.yaml:1: kernel="": the path is empty'],
    ['kernel: [a]', 'vm.yaml:1: kernel=["a"]: must be text'],
    ['append: "\\0"', 'vm.yaml:1: append="\\u0000": contains a NUL'],
    ['append: |\n  quiet\n  nokaslr', 'vm.yaml:1: append="quiet\\nnokaslr\\n": must be one line; '],
    ['append: >\n  quiet\n  nokaslr', 'must be one line; in YAML, >- in front of several folds'],
    ['no-reboot: maybe', 'vm.yaml:1: no-reboot="maybe": must be true or false'],
    ['on-violation: explode', 'on-violation="explode": must be stop, reset or kill'],
    ['qmp: unix:q', 'vm.yaml:1: qmp="unix:q": must be a list'],
    ['virtio-mem: 5G', 'vm.yaml:1: virtio-mem="5G": must be a list'],
    ['virtio-mem:\n - 5G', 'vm.yaml:2: virtio-mem[0]="5G": must have keys by name, as size: 8G'],
    [
      'virtio-mem:\n - size: 1G\n - size: 1G\n   sise: 2G',
      'vm.yaml:4: virtio-mem[1] sise="2G": unknown key "sise"; the keys are size, memdev, ',
    ],
    [
      'virtio-mem: [{size: 1G,\n prealloc: 1}]',
      'vm.yaml:2: virtio-mem[0] prealloc=1: must be true',
    ],
    ['virtio-mem: [{id: ""}]', 'vm.yaml:1: virtio-mem[0] id="": the value is empty'],
    [
      'virtio-mem: [{id: "a,size=1"}]',
      'virtio-mem[0] id="a,size=1": a value cannot contain a comma',
    ],
    [
      'memory-backend: [{id: m}]',
      'memory-backend[0] type=nothing: must be ram, memfd, file, devmem',
    ],
    ['memory-backend: [{type: tape}]', 'memory-backend[0] type="tape": must be ram, memfd'],
    ['memory-backend: [{type: ram, base: 1}]', 'memory-backend[0] base=1: unknown key "base"'],
    ['numa: [{type: node, cpus: []}]', 'numa[0] cpus=[]: must be a number, a range'],
    ['numa: [{type: node, cpus: [1, a]}]', 'numa[0] cpus=[1,"a"]: must be a number, a range'],
    ['- kernel', 'vm.yaml:1: must have options by name'],
    ['', 'vm.yaml:1: must have options by name'],
    ['5: x', 'vm.yaml:1: 5: names must be text'],
    ['cpus: 1\ncpus: 2', 'vm.yaml:2: Map keys must be unique'],
    ['cpus: [1', 'vm.yaml:1: '],
    ['cpus: 1\n---\ncpus: 2', 'vm.yaml:2: '],
    ['cpus: !!js/function x', 'vm.yaml:1: Unresolved tag'],
    ['cpus: *nobody', 'vm.yaml:1: '],
  ])('refuses %j in a line', (text, why) => {
    expect(refusal(text)).toContain(why);
    expect(refusal(text)).toMatch(/^vm\.yaml:\d+: [^\n]+$/);
  });

  it('that cannot be read is named', () => {
    expect(() => new ConfigFile('/nowhere/vm.yaml')).toThrow(
      '--config /nowhere/vm.yaml: no such file',
    );
    expect(() => new ConfigFile(folder)).toThrow(`--config ${folder}: is a directory`);
    expect(() => new ConfigFile('/dev/zero')).toThrow(
      '--config /dev/zero: more than 1048576 bytes',
    );
    expect(refusal('#'.repeat(2 ** 20 + 1))).toBe('--config vm.yaml: more than 1048576 bytes');
  });
});

describe('a flag beside the file', () => {
  it('wins', () => {
    const text = 'cpus: 4\nmemory: {memdev: m0}\nno-reboot: true\nserial: none';
    expect(merged(text, { cpus: '2', memory: '4G', reboot: true })).toEqual({
      ...DEFAULTS,
      ...{ cpus: '2', memory: '4G', reboot: true, serial: 'none' },
    });
  });

  it('changes the keys it names of what has its id, or adds one', () => {
    const text = `
virtio-mem: [{size: 8G, node: 1}, {id: big, size: 1T, prealloc: on}]
memory-backend: [{type: ram, id: a, size: 1G, share: on}, {type: ram, id: b, size: 1G}]
`;
    expect(
      merged(text, {
        virtioMem: ['size=2G', 'id=vm0,size=16G', 'id=big,prealloc=off', 'id=other,size=1G'],
        memoryBackend: ['ram,id=a,size=2G', 'memfd,id=b,size=3G'],
      }),
    ).toMatchObject({
      virtioMem: [
        'node=1,id=vm0,size=16G',
        'size=1T,id=big,prealloc=off',
        'size=2G',
        'id=other,size=1G',
      ],
      memoryBackend: ['ram,share=on,id=a,size=2G', 'memfd,id=b,size=3G'],
    });
  });

  it('takes the place of all nodes, or of all sockets', () => {
    const text = 'numa: [{type: node}, {type: node}]\nqmp: [unix:a]';
    expect(merged(text, { numa: ['node'], qmp: ['tcp:1'] })).toMatchObject({
      numa: ['node'],
      qmp: ['tcp:1'],
    });
  });

  it('is left to its parser when it is not well formed', () => {
    expect(merged('virtio-mem: [{size: 1G}]', { virtioMem: ['id'] })).toMatchObject({
      virtioMem: ['size=1G', 'id'],
    });
  });
});

describe('what is wrong beyond types', () => {
  const text = 'cpus: 1\nvirtio-mem:\n  - size: 1G\n  - id: vm0\n    size: 2G\n';

  function explained(file: ConfigFile, texts: readonly string[]): string {
    try {
      parseVirtioMemOptions(texts);
      return 'nothing';
    } catch (error) {
      return String(file.explain(error));
    }
  }

  it('is told with the line of the file', () => {
    const file = read(text);
    const { virtioMem } = file.merge(DEFAULTS, () => false);
    expect(explained(file, virtioMem as string[])).toBe(
      `ConfigError: ${folder}/vm.yaml:4: --virtio-mem id=vm0: two devices have this id`,
    );
  });

  it('is told with the line of the device, unless a flag says it', () => {
    const file = read(text);
    const tell = (message: string): string =>
      String(file.explain(new ConfigError('BAD_OPTION', message))).replace(folder, '');
    expect(tell('vm0: size=3 is odd')).toBe('ConfigError: /vm.yaml:3: vm0: size=3 is odd');
    expect(tell('vm0: node=3 is odd')).toBe('ConfigError: /vm.yaml:3: vm0: node=3 is odd');
    const long = '--virtio-mem id=vm0: size=3: is odd';
    expect(tell(long)).toBe(`ConfigError: /vm.yaml:3: ${long}`);
    expect(tell('vm9: size=3 is odd')).toBe('ConfigError: vm9: size=3 is odd');
    file.merge({ virtioMem: ['id=vm0,size=3'] }, () => true);
    expect(tell('vm0: size=3 is odd')).toBe('ConfigError: vm0: size=3 is odd');
    expect(tell('vm1: size=3 is odd')).toBe('ConfigError: vm1: size=3 is odd');
  });

  it('is told as it is when the file does not say so', () => {
    const file = read(text);
    file.merge({ ...DEFAULTS, cpus: '0' }, (name) => name === 'cpus');
    const tell = (message: string): string =>
      String(file.explain(new ConfigError('BAD_OPTION', message)));
    expect(tell('--cpus=0: must be')).toBe('ConfigError: --cpus=0: must be');
    expect(tell('--virtio-mem id=other: no')).toBe('ConfigError: --virtio-mem id=other: no');
    expect(tell('--kernel is missing: give one')).toBe(
      'ConfigError: --kernel is missing: give one',
    );
    expect(file.explain('x')).toBe('x');
  });
});
