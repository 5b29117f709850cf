import type { CpuRegisters } from '../../machine/control.ts';
import { READ_LIMIT } from '../../machine/inspect/guest-reader.ts';
import type { ReturnOf } from '../schema/commands.ts';
import { checkAddress, checkCpu, checkRange } from './arguments.ts';
import type { Handlers, QmpContext } from './handler.ts';

/** Registers of a local APIC are 16 bytes apart, from the id to the divider of the timer. */
const APIC = { first: 0x20, last: 0x3e0, step: 0x10 } as const;

type Registers = ReturnOf<'x-tsvmm-query-registers'>[number];

const SEGMENTS = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr', 'ldt'] as const;
const CONTROL = ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'] as const;

function describeRegisters(cpu: number, { general, special, halted }: CpuRegisters): Registers {
  return {
    'cpu-index': cpu,
    halted,
    registers: [
      ...Object.entries<bigint>({ ...general }).map(([name, value]) => ({ name, value })),
      ...CONTROL.map((name) => ({ name, value: special[name] })),
    ],
    segments: SEGMENTS.map((name) => {
      const { selector, base, limit } = special[name];
      return { name, selector, base, limit };
    }),
  };
}

async function inWords(
  context: QmpContext,
  line: string,
): Promise<{ readonly 'human-readable-text': string }> {
  return { 'human-readable-text': await context.humanMonitor(line) };
}

const checkSize = (size: number, limit: number): number => checkRange('size', size, 1, limit);

export const inspectHandlers: Handlers<
  | 'x-query-numa'
  | 'x-query-irq'
  | 'x-query-interrupt-controllers'
  | 'x-tsvmm-query-registers'
  | 'x-tsvmm-query-lapic'
  | 'inject-nmi'
  | 'memsave'
  | 'pmemsave'
  | 'x-tsvmm-read-memory'
  | 'x-tsvmm-translate'
> = {
  'x-query-numa': (_args, context) => inWords(context, 'info numa'),
  'x-query-irq': (_args, context) => inWords(context, 'info irq'),
  'x-query-interrupt-controllers': (_args, context) => inWords(context, 'info pic'),

  'x-tsvmm-query-registers': async ({ 'cpu-index': index }, { control }) => {
    const inspection = await control.inspect();
    const all = control.cpus().map(({ id }) => id);
    const answers: Registers[] = [];
    for (const id of index === undefined ? all : [checkCpu(control, index)]) {
      answers.push(describeRegisters(id, await inspection.registers(id)));
    }
    return answers;
  },

  'x-tsvmm-query-lapic': async ({ 'cpu-index': index }, { control }) => {
    const cpu = checkCpu(control, index);
    const { register } = await (await control.inspect()).localApic(cpu);
    const registers: { readonly offset: number; readonly value: number }[] = [];
    for (let offset: number = APIC.first; offset <= APIC.last; offset += APIC.step) {
      registers.push({ offset, value: register(offset) });
    }
    return { 'cpu-index': cpu, registers };
  },

  'inject-nmi': async (_args, { control }) => {
    (await control.inspect()).injectNmi();
    return {};
  },

  memsave: async ({ val, size, filename, 'cpu-index': index }, { control }) => {
    const cpu = checkCpu(control, index);
    const bytes = checkSize(size, Number.MAX_SAFE_INTEGER);
    await (await control.inspect()).saveVirtual(cpu, BigInt(val), bytes, filename);
    return {};
  },

  pmemsave: async ({ val, size, filename }, { control }) => {
    const gpa = checkAddress('val', val);
    const bytes = checkSize(size, Number.MAX_SAFE_INTEGER);
    await (await control.inspect()).savePhysical(gpa, bytes, filename);
    return {};
  },

  'x-tsvmm-read-memory': async ({ address, size, 'cpu-index': index }, { control }) => {
    const length = checkSize(size, READ_LIMIT);
    const inspection = await control.inspect();
    const { bytes, endsBecause } =
      index === undefined
        ? inspection.readPhysical(checkAddress('address', address), length)
        : await inspection.readVirtual(checkCpu(control, index), BigInt(address), length);
    const data = Buffer.from(bytes).toString('base64');
    return endsBecause === undefined ? { data } : { data, 'ends-because': endsBecause };
  },

  'x-tsvmm-translate': async ({ address, 'cpu-index': index }, { control }) => {
    const inspection = await control.inspect();
    const gpa = await inspection.translate(checkCpu(control, index), BigInt(address));
    return gpa === undefined ? {} : { gpa };
  },
};
