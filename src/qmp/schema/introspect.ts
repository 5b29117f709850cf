import type { CommandSpec } from './command-spec.ts';
import { COMMANDS } from './commands.ts';
import { EVENTS } from './events.ts';
import type { SchemaInfo } from './schema-info.ts';
import type { BuiltinName, Members, TypeOf, WireType } from './type.ts';

type Info = TypeOf<typeof SchemaInfo>;
type MemberInfo = TypeOf<typeof SchemaInfo.variants.object>['members'][number];

const JSON_TYPES = {
  str: 'string',
  int: 'int',
  uint64: 'int',
  bool: 'boolean',
  any: 'value',
} as const;

/**
 * Describes the schema for clients. Types go by numbers instead of names, since clients must not
 * depend on those; types that look the same have the same number.
 */
class Introspection {
  readonly entities: Info[] = [];
  readonly #masked = new Map<string, string>();
  readonly #known = new Set<string>();

  /** @returns what the type is called in the answer; it and what it is made of are described */
  name(type: WireType): string {
    switch (type.kind) {
      case 'builtin':
        return this.#builtin(type.name);
      case 'enum': {
        const members = type.values.map((name) => ({ name }));
        return this.#mask({ 'meta-type': 'enum', members, values: type.values });
      }
      case 'list': {
        const element = this.name(type.element);
        const name = `[${element}]`;
        this.#add({ name, 'meta-type': 'array', 'element-type': element });
        return name;
      }
      case 'object':
        return this.#mask({ 'meta-type': 'object', members: this.#members(type.members) });
      case 'union': {
        const variants = Object.entries(type.variants).map(([name, variant]) => {
          return { case: name, type: this.name(variant) };
        });
        const members = this.#members(type.base);
        return this.#mask({ 'meta-type': 'object', members, tag: type.tag, variants });
      }
      case 'alternate': {
        const members = type.types.map((each) => ({ type: this.name(each) }));
        return this.#mask({ 'meta-type': 'alternate', members });
      }
    }
  }

  #builtin(builtin: BuiltinName): string {
    // Clients know one kind of integer.
    const name = builtin === 'uint64' ? 'int' : builtin;
    this.#add({ name, 'meta-type': 'builtin', 'json-type': JSON_TYPES[name] });
    return name;
  }

  #members(members: Members): MemberInfo[] {
    return Object.entries(members).map(([name, member]) =>
      member.kind === 'optional'
        ? { name, type: this.name(member.type), default: null }
        : { name, type: this.name(member) },
    );
  }

  #mask(info: Unnamed<Info, 'enum' | 'object' | 'alternate'>): string {
    const key = JSON.stringify(info);
    const name = this.#masked.get(key) ?? String(this.#masked.size);
    this.#masked.set(key, name);
    this.#add({ name, ...info });
    return name;
  }

  #add(info: Info): void {
    if (this.#known.has(info.name)) return;
    this.#known.add(info.name);
    this.entities.push(info);
  }
}

type Unnamed<T, Kind extends string> = Kind extends Kind
  ? Omit<Extract<T, { readonly 'meta-type': Kind }>, 'name'>
  : never;

/** Commands and events first, then the types that they are made of. */
export function describeSchema(): readonly Info[] {
  const types = new Introspection();
  const commands = Object.entries(COMMANDS).map(([name, spec]: [string, CommandSpec]): Info => {
    return {
      name,
      'meta-type': 'command',
      'arg-type': types.name(spec.args),
      'ret-type': types.name(spec.returns),
      'allow-oob': spec.oob === true,
    };
  });
  const events = Object.entries(EVENTS).map(([name, data]): Info => {
    return { name, 'meta-type': 'event', 'arg-type': types.name(data) };
  });
  return [...commands, ...events, ...types.entities];
}
