import type { CommandSpecs } from './command-spec.ts';
import { alternate, bool, int, listOf, object, oneOf, optional, str, union } from './type.ts';

export const STAT_TARGETS = ['vm', 'vcpu'] as const;

/** KVM's, which clients know, and ours, which only those get that name it. */
const provider = oneOf('kvm', 'tsvmm');

const Filter = union(
  'target',
  {
    target: oneOf(...STAT_TARGETS),
    providers: optional(listOf(object({ provider, names: optional(listOf(str)) }))),
  },
  { vm: object({}), vcpu: object({ vcpus: optional(listOf(str)) }) },
);

const StatsResult = object({
  provider,
  'qom-path': optional(str),
  stats: listOf(object({ name: str, value: alternate(int, bool, listOf(int)) })),
});

/** What a value is: `base` to the power of `exponent` of a unit. */
const StatsSchemaValue = object({
  name: str,
  type: oneOf('cumulative', 'instant', 'peak', 'linear-histogram', 'log2-histogram'),
  unit: optional(oneOf('bytes', 'seconds', 'cycles', 'boolean')),
  base: optional(int),
  exponent: int,
  'bucket-size': optional(int),
});

/** What was counted, of devices (target vm) and vCPUs. */
export const STATS_COMMANDS = {
  'query-stats': { args: Filter, returns: listOf(StatsResult) },
  'query-stats-schemas': {
    args: object({ provider: optional(provider) }),
    returns: listOf(
      object({ provider, target: oneOf(...STAT_TARGETS), stats: listOf(StatsSchemaValue) }),
    ),
  },
} as const satisfies CommandSpecs;
