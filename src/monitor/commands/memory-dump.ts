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

/** Whole lines of a dump; the last may say why there is no more. */
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
  const units = bytes.length - (bytes.length % format.size);
  for (let start = 0; start < units; start += perLine) {
    const values: string[] = [];
    for (let at = start; at < Math.min(units, start + perLine); at += format.size) {
      values.push(formatUnit(readUnit(view, at, format.size), format));
    }
    texts.push(`${place(start)}: ${values.join(' ')}`);
  }
  if (endsBecause !== undefined) {
    texts.push(`${place(units)}: Cannot access memory: ${endsBecause}`);
  }
  return lines(texts);
}

/** Reads the arguments of a dump, and remembers its format. */
async function dumpArguments(
  args: Arguments,
  context: CommandContext,
): Promise<{ address: bigint; length: number; format: ValueFormat }> {
  const { count, format } = parseFormat(args.optional('/fmt'), context.settings.format);
  const length = count * format.size;
  if (length > DUMP_LIMIT) {
    const message = `${length} bytes: a dump has at most ${DUMP_LIMIT}; memsave and pmemsave write files`;
    throw new ConfigError('BAD_FORMAT', message);
  }
  const address = await evaluate(args.required('addr'), context);
  context.settings.format = format;
  return { address, length, format };
}

const DUMP_PARAMETERS = [{ name: '/fmt' }, { name: 'addr', rest: true }] as const;
const FORMAT_DETAILS =
  'The format is a count, a letter (`x` hexadecimal, `d` signed, `u` unsigned, `o` octal, `c` ' +
  'character) and a size (`b` 1, `h` 2, `w` 4, `g` 8 bytes), as `/16xb`; what is left out is as it was ' +
  'last, at first `/1xw`. The disassembly format `i` does not exist here.';

export const x: MonitorCommand = {
  name: 'x',
  parameters: DUMP_PARAMETERS,
  summary: "show virtual memory, as: x /8xg $rsp (by the page tables of the monitor's vCPU)",
  details:
    `${FORMAT_DETAILS}\n\nThe address is an expression; see \`print\`. The vCPU is parked for ` +
    'the moment it takes. Nothing is read where nothing is mapped, or where the mapping leads to ' +
    'memory that is not plugged.',
  run: async (args, context) => {
    const { address, length, format } = await dumpArguments(args, context);
    const inspection = await context.control.inspect();
    const bytes = await inspection.readVirtual(context.settings.cpu, address, length);
    return formatDump(address, bytes, format);
  },
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
    'touched: a line where memory ends says what is there instead, as `vm0: not plugged`.',
  run: async (args, context) => {
    const { address, length, format } = await dumpArguments(args, context);
    return formatDump(
      address,
      physicalBytes(await context.control.inspect(), address, length),
      format,
    );
  },
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
