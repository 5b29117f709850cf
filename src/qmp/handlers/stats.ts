import type { StatGroup, StatValue } from '../../machine/control.ts';
import { STAT_TARGETS } from '../schema/stats-commands.ts';
import type { ReturnOf } from '../schema/commands.ts';
import type { Handlers } from './handler.ts';

/**
 * Whose the values are. Clients with types of the established protocol do not know this provider and would
 * refuse an answer that has it, so only those get it that ask for it by name.
 */
const PROVIDER = 'tsvmm';

type Schema = ReturnOf<'query-stats-schemas'>[number]['stats'][number];

function describeValue({ name, type, unit, exponent = 0 }: StatValue): Schema {
  return { name, type, ...(unit === undefined ? {} : { unit, base: 10 }), exponent };
}

/** Every value of a target's groups by its name, once. */
function valuesOf(groups: readonly StatGroup[], target: string): readonly StatValue[] {
  const values = groups.filter((group) => group.target === target).flatMap((it) => it.values);
  return [...new Map(values.map((value) => [value.name, value])).values()];
}

export const statsHandlers: Handlers<'query-stats' | 'query-stats-schemas'> = {
  'query-stats': async (filter, { control }) => {
    const own = filter.providers?.filter(({ provider }) => provider === PROVIDER) ?? [];
    if (own.length === 0) return [];
    const groups = (await control.inspect()).stats();
    const paths = filter.target === 'vcpu' ? filter.vcpus : undefined;
    // A provider without names means all of its values.
    const isWanted = ({ name }: StatValue): boolean =>
      own.some(({ names }) => names?.includes(name) ?? true);
    return groups
      .filter(({ target, path }) => target === filter.target && (paths?.includes(path) ?? true))
      .map(({ path, values }) => ({
        provider: PROVIDER,
        'qom-path': path,
        stats: values.filter(isWanted).map(({ name, value }) => ({ name, value })),
      }));
  },

  'query-stats-schemas': async ({ provider }, { control }) => {
    if (provider !== PROVIDER) return [];
    const groups = (await control.inspect()).stats();
    return STAT_TARGETS.map((target) => ({
      provider: PROVIDER,
      target,
      stats: valuesOf(groups, target).map(describeValue),
    }));
  },
};
