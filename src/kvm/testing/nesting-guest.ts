import { EXIT_KIND } from '../exit.ts';
import { PML4 } from './cpu-modes.ts';
import { TinyGuest } from './tiny-guest.ts';

/** Where things are in the guest, a page each. */
const INNER_CODE = 0x3000;
/** What the code has as a constant; the page before it is where the processor saves the host's state. */
const VMCB = 0x5000;

/** AMD APM vol. 2, appendix B: what is intercepted, and why the inner guest ended. */
const INTERCEPT_HLT = 1 << 24;
const INTERCEPT_VMRUN = 1 << 0;
const EXIT_CODE = 0x70;
const EXIT_HLT = 0x78;

/** Saves the host's state at 0x4000, runs the guest of VMCB, and writes to port 0x10. */
const OUTER = [
  ...[0xb9, 0x17, 0x01, 0x01, 0xc0], // mov ecx, VM_HSAVE_PA
  ...[0xb8, 0x00, 0x40, 0x00, 0x00], // mov eax, 0x4000
  ...[0x31, 0xd2, 0x0f, 0x30], // xor edx, edx; wrmsr
  ...[0xb8, 0x00, 0x50, 0x00, 0x00], // mov eax, VMCB
  ...[0x0f, 0x01, 0xd8], // vmrun
  ...[0xe6, 0x10], // out 0x10, al
];

function vmcb(nestedPaging: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(4096));
  const u32 = (at: number, value: number): void => view.setUint32(at, value, true);
  const u64 = (at: number, value: bigint): void => view.setBigUint64(at, value, true);
  const segment = (at: number, selector: number, attributes: number): void => {
    view.setUint16(at, selector, true);
    view.setUint16(at + 2, attributes, true);
    u32(at + 4, 0xffff_ffff);
  };
  u32(0x0c, INTERCEPT_HLT);
  u32(0x10, INTERCEPT_VMRUN);
  u32(0x58, 1); // ASID
  u64(0x90, nestedPaging ? 1n : 0n); // by the outer guest's own tables
  u64(0xb0, BigInt(PML4));
  for (const at of [0x400, 0x420, 0x430]) segment(at, 0x20, 0xc93); // ES, SS, DS
  segment(0x410, 0x18, 0xa9b); // CS
  u64(0x4d0, 0x1500n); // EFER: SVME, LMA, LME
  u64(0x548, 0x20n); // CR4: PAE
  u64(0x550, BigInt(PML4)); // CR3
  u64(0x558, 0x8000_0011n); // CR0: PG, ET, PE
  u64(0x560, 0x400n); // DR7
  u64(0x568, 0xffff_0ff0n); // DR6
  u64(0x570, 2n); // RFLAGS
  u64(0x578, BigInt(INNER_CODE)); // RIP
  u64(0x668, 0x0007_0406_0007_0406n); // PAT
  return new Uint8Array(view.buffer);
}

/**
 * A guest of an AMD processor that runs a guest of its own, with nested paging where KVM has it, so that
 * KVM has to shadow its page tables.
 */
export class NestingGuest {
  readonly #nestedPaging: boolean;
  readonly outer = new TinyGuest({
    code: OUTER,
    mode: 'kernel64',
    ranges: [{ base: 0x10 }],
  });

  /** @param nestedPaging  kvm_amd has it (`npt`): else it refuses an inner guest that does */
  constructor(nestedPaging: boolean) {
    this.#nestedPaging = nestedPaging;
  }

  /** @throws (rejects) when the inner guest does not come to its end */
  async run(): Promise<void> {
    const { memory, vcpu } = this.outer;
    memory.write(INNER_CODE, Uint8Array.of(0xf4)); // hlt
    memory.write(VMCB, vmcb(this.#nestedPaging));
    const seen = this.outer.nextExit();
    vcpu.run();
    const exit = await seen;
    const why = new Uint8Array(8);
    memory.read(VMCB + EXIT_CODE, why);
    const code = new DataView(why.buffer).getBigUint64(0, true);
    if (exit.kind !== EXIT_KIND.port || code !== BigInt(EXIT_HLT)) {
      throw new Error(`the inner guest ended with ${code}, the outer one by ${exit.kind}`);
    }
  }

  close(): void {
    this.outer.close();
  }
}
