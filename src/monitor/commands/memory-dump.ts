import type { MachineInspection, MemoryBytes } from '../../machine/control.ts';
import { ConfigError } from '../../errors.ts';
import type { Arguments, CommandContext, MonitorCommand } from '../command.ts';
import { calculate, namesRegisters, registerNamed } from '../expression.ts';
import { lines } from '../text.ts';
import {
  formatUnit,
  formatValue,
  lineBytes,
  parseFormat,
  parseInstructionFormat,
  type UnitBytes,
  type ValueFormat,
} from '../value-format.ts';

/** Bytes of one dump: larger pieces of memory go to files. */
const DUMP_LIMIT = 64 * 1024;

/** Calculates an expression, with the registers of the session's vCPU where it names some. */
export async function evaluate(text: string, context: CommandContext): Promise<bigint> {
  const none = (): bigint => 0n;
  if (!namesRegisters(text)) return calculate(text, none);
  const inspection = await context.control.inspect();
  const registers = await inspection.registers(context.settings.cpu);
  return calculate(text, (name) => registerNamed(registers, name));
}

/** A value that must be an address or a size. @throws ConfigError */
export async function evaluateNumber(
  name: string,
  text: string,
  context: CommandContext,
): Promise<number> {
  const value = await evaluate(text, context);
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new ConfigError('BAD_VALUE', `${name}=0x${value.toString(16)}: memory ends before that`);
}

function readUnit(view: DataView, at: number, size: UnitBytes): bigint {
  switch (size) {
    case 1:
      return BigInt(view.getUint8(at));
    case 2:
      return BigInt(view.getUint16(at, true));
    case 4:
      return BigInt(view.getUint32(at, true));
    case 8:
      return view.getBigUint64(at, true);
  }
}

/** Whole lines of a dump; where there is no more, a line says so as scripts know it, and the next one why. */
export function formatDump(
  address: bigint,
  { bytes, endsBecause }: MemoryBytes,
  format: ValueFormat,
): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const perLine = lineBytes(format);
  const texts: string[] = [];
  const place = (at: number): string =>
    BigInt.asUintN(64, address + BigInt(at))
      .toString(16)
      .padStart(16, '0');
  // A line of which a part cannot be read is none.
  const whole = bytes.length - (endsBecause === undefined ? 0 : bytes.length % perLine);
  const units = whole - (whole % format.size);
  for (let start = 0; start < units; start += perLine) {
    const values: string[] = [];
    for (let at = start; at < Math.min(units, start + perLine); at += format.size) {
      values.push(formatUnit(readUnit(view, at, format.size), format));
    }
    texts.push(`${place(start)}: ${values.join(' ')}`);
  }
  if (endsBecause !== undefined) {
    texts.push(`${place(units)}: Cannot access memory`, endsBecause);
  }
  return lines(texts);
}

/** Reads memory at an address. */
type Read = (
  inspection: MachineInspection,
  address: bigint,
  length: number,
) => MemoryBytes | Promise<MemoryBytes>;

function checkLength(length: number): void {
  if (length <= DUMP_LIMIT) return;
  const message = `${length} bytes: a dump has at most ${DUMP_LIMIT}; memsave and pmemsave write files`;
  throw new ConfigError('BAD_FORMAT', message);
}

/** Shows values or instructions, and remembers the format of values. */
async function dump(args: Arguments, context: CommandContext, read: Read): Promise<string> {
  const format = args.optional('/fmt');
  const instructions = parseInstructionFormat(format);
  if (instructions !== undefined) return await dumpCode(instructions, args, context, read);
  const parsed = parseFormat(format, context.settings.format);
  const length = parsed.count * parsed.format.size;
  checkLength(length);
  const address = await evaluate(args.required('addr'), context);
  context.settings.format = parsed.format;
  const bytes = await read(await context.control.inspect(), address, length);
  return formatDump(address, bytes, parsed.format);
}

/** Rarely wanted: what it takes is loaded with the first. */
async function dumpCode(
  count: number,
  args: Arguments,
  context: CommandContext,
  read: Read,
): Promise<string> {
  const { disassemble, INSTRUCTION_BYTES } = await import('../disassembly.ts');
  checkLength(count * INSTRUCTION_BYTES);
  const address = await evaluate(args.required('addr'), context);
  const inspection = await context.control.inspect();
  const { special: cpu } = await inspection.registers(context.settings.cpu);
  const memory = await read(inspection, address, count * INSTRUCTION_BYTES);
  return disassemble({ address, memory, count, cpu });
}

const DUMP_PARAMETERS = [{ name: '/fmt' }, { name: 'addr', rest: true }] as const;
const FORMAT_DETAILS =
  'The format is a count, a letter (`x` hexadecimal, `d` signed, `u` unsigned, `o` octal, `c` ' +
  'character) and a size (`b` 1, `h` 2, `w` 4, `g` 8 bytes), as `/16xb`; what is left out is as it was ' +
  'last, at first `/1xw`. `/5i` shows five instructions instead, as 16, 32 or 64 bits wide as the code ' +
  'that the vCPU runs; with real-mode segments that is `x /5i $cs.base + $rip`.';

export const x: MonitorCommand = {
  name: 'x',
  parameters: DUMP_PARAMETERS,
  summary:
    "show virtual memory, as: x /8xg $rsp, x /5i $rip (by the page tables of the monitor's vCPU)",
  details:
    `${FORMAT_DETAILS}\n\nThe address is an expression; see \`print\`. The vCPU is parked for ` +
    'the moment it takes. Nothing is read where nothing is mapped, or where the mapping leads to ' +
    'memory that is not plugged.',
  run: (args, context) =>
    dump(args, context, (inspection, address, length) =>
      inspection.readVirtual(context.settings.cpu, address, length),
    ),
};

function physicalBytes(
  inspection: MachineInspection,
  address: bigint,
  length: number,
): MemoryBytes {
  if (address <= BigInt(Number.MAX_SAFE_INTEGER)) {
    return inspection.readPhysical(Number(address), length);
  }
  return { bytes: new Uint8Array(0), endsBecause: 'no memory there' };
}

export const xp: MonitorCommand = {
  name: 'xp',
  parameters: DUMP_PARAMETERS,
  summary: 'show guest-physical memory, as: xp /4xw 0x1000',
  details:
    'Formats and addresses are those of `x`. Only RAM and plugged memory is read, and no device is ' +
    'touched: the line where memory ends says `Cannot access memory`, also where a part of it could be ' +
    'read, and the next what is there instead, as `vm0: not plugged`.',
  run: (args, context) => dump(args, context, physicalBytes),
};

export const print: MonitorCommand = {
  name: 'print',
  aliases: ['p'],
  parameters: [{ name: '/fmt' }, { name: 'expr', rest: true }],
  summary: 'calculate, as: print/x $rsp + 8',
  details:
    'Expressions are 64 bits wide and have decimal, `0x` and octal (`0…`) numbers, characters ' +
    "(`'a'`), registers of the monitor's vCPU (`$rip`, `$eax`, `$cr3`, `$fs.base`), parentheses and " +
    '`+ - * / % & | ^ ~`. `* / %` bind tightest, then `& | ^`, then `+ -`.',
  run: async (args, context) => {
    const { format } = parseFormat(args.optional('/fmt'), context.settings.format);
    const value = await evaluate(args.required('expr'), context);
    context.settings.format = format;
    return `${formatValue(value, format.letter)}\n`;
  },
};

export const gva2gpa: MonitorCommand = {
  name: 'gva2gpa',
  parameters: [{ name: 'addr', rest: true }],
  summary: "translate a virtual address by the page tables of the monitor's vCPU",
  run: async (args, context) => {
    const address = await evaluate(args.required('addr'), context);
    const inspection = await context.control.inspect();
    const gpa = await inspection.translate(context.settings.cpu, address);
    return gpa === undefined ? 'Unmapped\n' : `gpa: 0x${gpa.toString(16)}\n`;
  },
};
