import { describe, expect, it } from 'vitest';
import { COMMANDS } from './commands.ts';
import { EVENTS } from './events.ts';
import { describeSchema } from './introspect.ts';

const entities = describeSchema();
const byName = new Map(entities.map((entity) => [entity.name, entity]));

/** Names of the entities that one refers to. */
function references(entity: (typeof entities)[number]): string[] {
  switch (entity['meta-type']) {
    case 'command':
      return [entity['arg-type'], entity['ret-type']];
    case 'event':
      return [entity['arg-type']];
    case 'array':
      return [entity['element-type']];
    case 'object':
      return [...entity.members, ...(entity.variants ?? [])].map(({ type }) => type);
    default:
      return [];
  }
}

describe('describeSchema', () => {
  it('describes every command and event', () => {
    const named = (meta: string): string[] =>
      entities.filter((it) => it['meta-type'] === meta).map(({ name }) => name);
    expect(named('command')).toEqual(Object.keys(COMMANDS));
    expect(named('event')).toEqual(Object.keys(EVENTS));
  });

  it('describes everything that it refers to, once', () => {
    for (const entity of entities) {
      for (const name of references(entity)) expect(byName.has(name), name).toBe(true);
    }
    expect(byName.size).toBe(entities.length);
  });

  it('hides the names of types', () => {
    const types = entities.filter(
      ({ 'meta-type': meta }) => meta !== 'command' && meta !== 'event',
    );
    for (const { name } of types) expect(name).toMatch(/^(\d+|\[.+\]|str|int|bool|any)$/);
  });

  it('describes what no arguments and no result are as the empty object', () => {
    const stop = byName.get('stop');
    expect(stop).toEqual({
      name: 'stop',
      'allow-oob': false,
      'meta-type': 'command',
      'arg-type': stop?.['arg-type' as 'name'],
      'ret-type': stop?.['arg-type' as 'name'],
    });
    expect(byName.get(String(stop?.['arg-type' as 'name']))).toMatchObject({ members: [] });
  });

  it('tells which commands go out of band, and which members may be absent', () => {
    expect(byName.get('query-status')).toMatchObject({ 'allow-oob': true });
    expect(byName.get('stop')).toMatchObject({ 'allow-oob': false });
    const types = byName.get('qom-list-types');
    const args = types?.['meta-type'] === 'command' ? byName.get(types['arg-type']) : undefined;
    expect(args).toMatchObject({
      members: [
        { name: 'implements', type: 'str', default: null },
        { name: 'abstract', type: 'bool', default: null },
      ],
    });
  });

  it('describes memory devices as a union by their type', () => {
    const command = byName.get('query-memory-devices');
    const list = command?.['meta-type'] === 'command' ? byName.get(command['ret-type']) : undefined;
    const device = list?.['meta-type'] === 'array' ? byName.get(list['element-type']) : undefined;
    expect(device).toMatchObject({
      'meta-type': 'object',
      tag: 'type',
      variants: [{ case: 'virtio-mem' }],
    });
  });
});
