import type * as Iced from 'iced-x86';
import { REGISTER_NAMES, type Registers, type SpecialRegisters } from '../../kvm/registers.ts';
import { codeBits, instructionDecoder } from '../instruction-decoder.ts';

/** Memory that an instruction uses. */
export interface Operand {
  readonly linear: bigint;
  /** Bytes. */
  readonly size: number;
  readonly access: 'read' | 'write';
}

/** What an instruction needs of its vCPU. */
export interface CpuView {
  readonly registers: Registers;
  readonly special: Pick<SpecialRegisters, 'cs' | 'ds' | 'es' | 'fs' | 'gs' | 'ss' | 'efer'>;
}

/** What is assumed of operands without a size of their own, as of XSAVE. */
const LARGE_OPERAND = 4096;

/**
 * Decodes the instruction at the instruction pointer.
 *
 * @param code  its bytes, as many as could be read
 * @returns its memory operands, those that it does not name (as the stack) included; none where it
 *   is incomplete or unknown. Elements that a vector register indexes are left out.
 */
export function memoryOperands(code: Uint8Array, cpu: CpuView): readonly Operand[] {
  const iced = instructionDecoder();
  const bits = codeBits(cpu.special);
  const decode = new iced.Decoder(bits, code, iced.DecoderOptions.None);
  decode.ip = cpu.registers.rip;
  const instruction = decode.decode();
  const factory = new iced.InstructionInfoFactory();
  const info = factory.info(instruction);
  const used = info.usedMemory() as readonly Iced.UsedMemory[];
  try {
    return used.flatMap((memory) => operandOf(iced, memory, bits, cpu) ?? []);
  } finally {
    // The decoder keeps its objects outside the collector's reach.
    for (const it of [...used, info, factory, instruction, decode]) it.free();
  }
}

function operandOf(
  iced: typeof Iced,
  memory: Iced.UsedMemory,
  bits: 16 | 32 | 64,
  cpu: CpuView,
): Operand | undefined {
  const { OpAccess } = iced;
  if (memory.access === OpAccess.None || memory.access === OpAccess.NoMemAccess) return undefined;
  const base = registerPart(iced.Register[memory.base], cpu.registers);
  const index = registerPart(iced.Register[memory.index], cpu.registers);
  if (base === undefined || index === undefined) return undefined;
  const width = Math.max(base.bits, index.bits) || bits;
  const sum = base.value + index.value * BigInt(memory.scale) + memory.displacement;
  const segment = segmentBase(iced.Register[memory.segment], bits, cpu);
  const isRead = memory.access === OpAccess.Read || memory.access === OpAccess.CondRead;
  return {
    linear: BigInt.asUintN(bits === 64 ? 64 : 32, BigInt.asUintN(width, sum) + segment),
    size: iced.MemorySizeExt.size(memory.memorySize) || LARGE_OPERAND,
    access: isRead ? 'read' : 'write',
  };
}

/** Part of a general register by the name of the part. @returns undefined for other registers */
function registerPart(
  name: string | undefined,
  registers: Registers,
): { readonly value: bigint; readonly bits: number } | undefined {
  if (name === undefined || name === 'None') return { value: 0n, bits: 0 };
  const lower = name.toLowerCase();
  const forms: readonly (readonly [name: string, bits: number])[] = [
    [lower, 64],
    [lower.replace(/^e/, 'r'), 32],
    [lower.replace(/^(r\d+)d$/, '$1'), 32],
    [`r${lower}`, 16],
  ];
  for (const [whole, bits] of forms) {
    const found = REGISTER_NAMES.find((it) => it === whole);
    if (found !== undefined) return { value: BigInt.asUintN(bits, registers[found]), bits };
  }
  return undefined;
}

/** In 64-bit code only FS and GS have a base. */
function segmentBase(name: string | undefined, bits: 16 | 32 | 64, { special }: CpuView): bigint {
  switch (name) {
    case 'FS':
      return special.fs.base;
    case 'GS':
      return special.gs.base;
    case 'CS':
      return bits === 64 ? 0n : special.cs.base;
    case 'DS':
      return bits === 64 ? 0n : special.ds.base;
    case 'ES':
      return bits === 64 ? 0n : special.es.base;
    case 'SS':
      return bits === 64 ? 0n : special.ss.base;
    default:
      return 0n;
  }
}
