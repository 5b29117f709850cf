import type { Qmp } from './qmp.ts';

interface Member {
  readonly name: string;
  readonly type: string;
  readonly default?: unknown;
}

/** An entity as `query-qmp-schema` tells it: what the protocol says of itself. */
interface Entity {
  readonly name: string;
  readonly 'meta-type': string;
  readonly 'json-type'?: string;
  readonly 'element-type'?: string;
  readonly 'arg-type'?: string;
  readonly 'ret-type'?: string;
  readonly values?: readonly string[];
  readonly tag?: string;
  readonly members?: readonly Member[];
  readonly variants?: readonly { readonly case: string; readonly type: string }[];
}

type Value = unknown;
type Fields = Readonly<Record<string, Value>>;

const isObject = (value: Value): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isBuiltin(json: string | undefined, value: Value): boolean {
  if (json === 'value') return value !== undefined;
  if (json === 'int') return Number.isInteger(value);
  return typeof value === json;
}

/** Checks values as a program would that knows nothing but the schema that the server tells. */
export class QmpSchema {
  readonly #entities: ReadonlyMap<string, Entity>;

  private constructor(entities: readonly Entity[]) {
    this.#entities = new Map(entities.map((entity) => [entity.name, entity]));
  }

  static async ask(qmp: Qmp): Promise<QmpSchema> {
    return new QmpSchema((await qmp.run('query-qmp-schema')) as readonly Entity[]);
  }

  /** Names of the commands, or of the events. */
  names(meta: 'command' | 'event'): readonly string[] {
    const all = [...this.#entities.values()];
    return all.filter((it) => it['meta-type'] === meta).map(({ name }) => name);
  }

  /** @throws Error saying where an answer is not as the schema says */
  checkAnswer(command: string, value: Value): void {
    this.#check(this.#get(command)['ret-type'], value, command);
  }

  /** @throws Error saying where an event's data are not as the schema says */
  checkEvent(event: string, data: Value = {}): void {
    this.#check(this.#get(event)['arg-type'], data, event);
  }

  #get(name: string | undefined): Entity {
    const entity = this.#entities.get(name ?? '');
    if (entity === undefined) throw new Error(`the schema has no ${String(name)}`);
    return entity;
  }

  #check(type: string | undefined, value: Value, where: string): void {
    const entity = this.#get(type);
    const wrong = (): never => {
      throw new Error(`${where}: ${JSON.stringify(value)} is not ${JSON.stringify(entity)}`);
    };
    switch (entity['meta-type']) {
      case 'builtin':
        if (!isBuiltin(entity['json-type'], value)) wrong();
        return;
      case 'enum':
        if (!(entity.values ?? []).some((each) => each === value)) wrong();
        return;
      case 'array':
        if (!Array.isArray(value)) return wrong();
        value.forEach((each: Value, at) => {
          this.#check(entity['element-type'], each, `${where}[${at}]`);
        });
        return;
      case 'alternate':
        if (!(entity.members ?? []).some(({ type: each }) => this.#fits(each, value))) wrong();
        return;
      case 'object':
        if (!isObject(value)) return wrong();
        this.#checkMembers(this.#membersFor(entity, value), value, where);
        return;
      default:
        wrong();
    }
  }

  #fits(type: string, value: Value): boolean {
    try {
      this.#check(type, value, '');
      return true;
    } catch {
      return false;
    }
  }

  /** Those of the object, and of the variant that its tag names. */
  #membersFor({ tag, variants = [], members = [] }: Entity, value: Fields): readonly Member[] {
    if (tag === undefined) return members;
    const variant = variants.find((each) => each.case === value[tag]);
    if (variant === undefined) throw new Error(`no variant for ${tag} ${String(value[tag])}`);
    const { members: more = [] } = this.#get(variant.type);
    return [...members, ...more];
  }

  #checkMembers(members: readonly Member[], value: Fields, where: string): void {
    for (const member of members) {
      const isOptional = 'default' in member;
      if (!(member.name in value)) {
        if (!isOptional) throw new Error(`${where}.${member.name} is missing`);
        continue;
      }
      this.#check(member.type, value[member.name], `${where}.${member.name}`);
    }
    const stranger = Object.keys(value).find((name) => !members.some((it) => it.name === name));
    if (stranger !== undefined) throw new Error(`${where}.${stranger} is not in the schema`);
  }
}
