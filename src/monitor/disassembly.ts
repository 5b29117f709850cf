import type { MemoryBytes } from '../machine/control.ts';
import { codeBits, instructionDecoder, type CodeState } from '../machine/instruction-decoder.ts';
import { lines } from './text.ts';

/** Bytes of an instruction at most (Intel SDM 2A §2.3.11). */
export const INSTRUCTION_BYTES = 15;
/** Columns of the bytes of most instructions; longer ones move their line. */
const BYTES_WIDTH = 8 * 3;

/** Instructions to show. */
export interface Code {
  /** Of the first byte, 64 bits. */
  readonly address: bigint;
  readonly memory: MemoryBytes;
  /** At most so many. */
  readonly count: number;
  /** Whose code it is: decides whether it is 16, 32 or 64 bits wide. */
  readonly cpu: CodeState;
}

function hexBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

function place(address: bigint): string {
  return `0x${BigInt.asUintN(64, address).toString(16).padStart(16, '0')}:`;
}

/**
 * Instructions as text, a line each: address, bytes, AT&T syntax. The last line may say why there is
 * no more. Targets of jumps count from where the code segment begins, as the vCPU counts.
 */
export function disassemble({ address, memory, count, cpu }: Code): string {
  const { bytes, endsBecause } = memory;
  const bits = codeBits(cpu);
  const iced = instructionDecoder();
  const decoder = new iced.Decoder(bits, bytes, iced.DecoderOptions.None);
  const formatter = new iced.Formatter(iced.FormatterSyntax.Gas);
  const instruction = new iced.Instruction();
  formatter.uppercaseHex = false;
  const base = bits === 64 ? 0n : cpu.cs.base;
  try {
    const texts: string[] = [];
    let at = 0;
    while (texts.length < count) {
      decoder.position = at;
      decoder.ip = BigInt.asUintN(bits, address + BigInt(at) - base);
      decoder.decodeOut(instruction);
      if (instruction.length === 0 || decoder.lastError === iced.DecoderError.NoMoreBytes) {
        texts.push(`${place(address + BigInt(at))}  Cannot access memory: ${endsBecause ?? ''}`);
        break;
      }
      // Where an instruction begins after one that does not exist, nobody knows.
      const length = instruction.isInvalid ? 1 : instruction.length;
      const code = hexBytes(bytes.subarray(at, at + length)).padEnd(BYTES_WIDTH);
      texts.push(`${place(address + BigInt(at))}  ${code} ${formatter.format(instruction)}`);
      at += length;
    }
    return lines(texts);
  } finally {
    // The decoder keeps its objects outside the collector's reach.
    for (const it of [instruction, formatter, decoder]) it.free();
  }
}
