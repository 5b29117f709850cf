import { describe, expect, it } from 'vitest';
import { setLogLevel } from '../log.ts';
import { isJsonObject, type JsonValue } from './json/value.ts';
import type { CommandName } from './schema/commands.ts';
import { ask } from './testing/ask.ts';
import { useQmpRig } from './testing/rig.ts';

setLogLevel('silent');
const rig = useQmpRig(0);

/**
 * Members that a schema of the established protocol, versions 2 to 10, requires of an answer or of each
 * of its elements: `a.b` is in `a`, `a[].b` in each element of `a`. Some were in a few versions only.
 */
const REQUIRED: Partial<Record<CommandName, { args?: object; members: readonly string[] }>> = {
  'query-version': { members: ['qemu.major', 'qemu.minor', 'qemu.micro', 'package'] },
  'query-status': { members: ['running', 'singlestep', 'status'] },
  'query-uuid': { members: ['UUID'] },
  'query-kvm': { members: ['enabled', 'present'] },
  'query-cpus-fast': { members: ['cpu-index', 'qom-path', 'thread-id', 'arch', 'target'] },
  'query-memory-devices': {
    members: [
      ...['type', 'data.memaddr', 'data.requested-size', 'data.size', 'data.max-size'],
      ...['data.block-size', 'data.node', 'data.memdev'],
    ],
  },
  'query-memory-size-summary': { members: ['base-memory'] },
  'query-memdev': {
    members: ['size', 'merge', 'dump', 'prealloc', 'share', 'host-nodes', 'policy'],
  },
  'qom-list': { args: { path: '/' }, members: ['name', 'type'] },
  'qom-list-types': { members: ['name'] },
  'query-pci': {
    members: [
      ...['bus', 'devices[].bus', 'devices[].slot', 'devices[].function', 'devices[].irq_pin'],
      ...['devices[].class_info.class', 'devices[].id.device', 'devices[].id.vendor'],
      ...['devices[].qdev_id', 'devices[].regions[].bar', 'devices[].regions[].type'],
      ...['devices[].regions[].address', 'devices[].regions[].size'],
    ],
  },
  'x-query-virtio': { members: ['path', 'name'] },
  'x-query-virtio-status': {
    args: { path: 'vm0' },
    members: [
      ...['name', 'device-id', 'vhost-started', 'device-endian', 'guest-features.transports'],
      ...['host-features.transports', 'backend-features.transports', 'num-vqs'],
      ...['status.statuses', 'isr', 'queue-sel', 'vm-running', 'broken', 'disabled'],
      ...['use-started', 'started', 'start-on-kick', 'disable-legacy-check', 'bus-name'],
      'use-guest-notifier-mask',
    ],
  },
  'x-query-virtio-queue-status': {
    args: { path: 'vm0', queue: 0 },
    members: [
      ...['name', 'queue-index', 'inuse', 'vring-num', 'vring-num-default', 'vring-align'],
      ...['vring-desc', 'vring-avail', 'vring-used', 'used-idx', 'signalled-used'],
      'signalled-used-valid',
    ],
  },
  'x-query-numa': { members: ['human-readable-text'] },
  'query-stats': {
    args: { target: 'vm', providers: [{ provider: 'tsvmm' }] },
    members: ['provider', 'stats[].name', 'stats[].value'],
  },
  'query-stats-schemas': {
    args: { provider: 'tsvmm' },
    members: ['provider', 'target', 'stats[].name', 'stats[].type', 'stats[].exponent'],
  },
  'query-commands': { members: ['name'] },
  'query-events': { members: ['name'] },
};

/** What a path names: as many values as the lists on its way have elements. */
function values(value: unknown, path: readonly string[]): readonly unknown[] {
  const [first, ...others] = path;
  if (first === undefined) return [value];
  if (Array.isArray(value)) return value.flatMap((each: unknown) => values(each, path));
  const name = first.replace('[]', '');

  const object = value as JsonValue;
  return isJsonObject(object) ? values(object[name], others) : [undefined];
}

describe('what older schemas require', () => {
  it.each(Object.entries(REQUIRED))('%s has', async (command, { args, members }) => {
    const answer = await ask(rig(), command as CommandName, args);
    for (const member of members) {
      const found = values(answer, member.split('.'));
      expect(found.length, member).toBeGreaterThan(0);
      expect(found, member).not.toContain(undefined);
    }
  });

  it('query-qmp-schema has, of each kind of entity', async () => {
    const required: Readonly<Record<string, readonly string[]>> = {
      builtin: ['json-type'],
      enum: ['values', 'members'],
      array: ['element-type'],
      object: ['members'],
      alternate: ['members'],
      command: ['arg-type', 'ret-type', 'allow-oob'],
      event: ['arg-type'],
    };

    const entities = (await ask(rig(), 'query-qmp-schema')) as readonly Record<string, unknown>[];
    const kinds = new Set(entities.map((entity) => String(entity['meta-type'])));
    expect([...kinds].toSorted()).toEqual(Object.keys(required).toSorted());
    for (const entity of entities) {
      const names = required[String(entity['meta-type'])] ?? [];
      for (const name of names) expect(entity).toHaveProperty([name]);
    }
  });
});
