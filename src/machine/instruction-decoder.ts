import { createRequire } from 'node:module';
import type * as Iced from 'iced-x86';
import type { SpecialRegisters } from '../kvm/registers.ts';

/** EFER.LMA: long mode is active. */
const LONG_MODE = 1n << 10n;

export type CodeBits = 16 | 32 | 64;

/** What decides how code is decoded. */
export type CodeState = Pick<SpecialRegisters, 'cs' | 'efer'>;

let loaded: typeof Iced | undefined;

/** The decoder, loaded when it is first needed: most machines never do. */
export function instructionDecoder(): typeof Iced {
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  // `require` has no types; the package's own are those of the module.
  // eslint-disable-next-line @typescript-eslint/no-unsafe-type-assertion
  loaded = require('iced-x86') as typeof Iced;
  return loaded;
}

/** Bits of the code that a vCPU runs (Intel SDM 3A §5.2.1). */
export function codeBits({ cs, efer }: CodeState): CodeBits {
  if (cs.l !== 0 && (efer & LONG_MODE) !== 0n) return 64;
  return cs.db !== 0 ? 32 : 16;
}
