import { ConfigError } from '../../errors.ts';
import { KeyValues } from './key-values.ts';

/** Which of the host's CPUs the machine's threads run on. */
export type CpuAffinity =
  /** `auto`: where the host likes, but they make room for each other when they are in each other's way. */
  | { readonly kind: 'auto' | 'off' }
  | {
      readonly kind: 'fixed';
      /** Of the event loop, on which devices are served; absent: wherever it may run now. */
      readonly loop: readonly number[] | undefined;
      /** Of each vCPU, in their order; absent: wherever they may run now. */
      readonly vcpus: readonly (readonly number[])[] | undefined;
    };

const OPTION = '--cpu-affinity';
/** No kernel has more (CONFIG_NR_CPUS). */
const MAX_HOST_CPUS = 8192;

/**
 * Parses `--cpu-affinity`: `auto`, `off`, or `loop=CPUS,vcpus=CPUS,pin=on`.
 *
 * @param cpus  how many vCPUs there are
 * @throws ConfigError
 */
export function parseCpuAffinity(text: string, cpus: number): CpuAffinity {
  if (text === 'auto' || text === 'off') return { kind: text };
  if (!text.includes('=')) {
    const message = `${OPTION}=${text}: must be auto, off, or loop=CPUS,vcpus=CPUS,pin=on`;
    throw new ConfigError('BAD_OPTION', message);
  }
  const keys = new KeyValues(OPTION, text, ['loop', 'vcpus']);
  const loop = keys.numbers('loop', MAX_HOST_CPUS);
  const all = keys.numbers('vcpus', MAX_HOST_CPUS);
  const pin = keys.flag('pin') ?? false;
  keys.done();
  if (pin && all === undefined) keys.refuse('pin', 'give vcpus= as well, a CPU for each');
  if (pin && all !== undefined && all.length < cpus) {
    keys.refuse('vcpus', `${all.length} CPUs for ${cpus} vCPUs: pin=on needs one for each`);
  }
  return { kind: 'fixed', loop, vcpus: all && dealOut(all, cpus, pin) };
}

function dealOut(
  all: readonly number[],
  cpus: number,
  pin: boolean,
): readonly (readonly number[])[] {
  return Array.from({ length: cpus }, (_, vcpu) => (pin ? all.slice(vcpu, vcpu + 1) : all));
}
