import { KVM_EXIT, type VcpuExit } from '../../kvm/exit.ts';
import type { Vcpu } from '../../kvm/vcpu.ts';
import type { GuestMemoryAccess } from '../../memory/guest-memory.ts';
import { PAGE_SIZE } from '../../units.ts';
import { memoryOperands } from './operands.ts';
import { unreachableEntry } from './page-walk.ts';
import type { Access } from './violation.ts';

/** What an exit without an address may have been about. */
export interface Suspect {
  readonly gpa: number;
  readonly access: Access;
}

const INSTRUCTION_BYTES = 15;
const PAGE = BigInt(PAGE_SIZE);

/** Reads what a vCPU that waits for an answer was about to use, likeliest first. */
export function* suspects(
  vcpu: Vcpu,
  exit: VcpuExit,
  memory: GuestMemoryAccess,
): Generator<Suspect> {
  const [gpa] = exit.values();
  if (exit.reason === KVM_EXIT.MEMORY_FAULT && gpa !== undefined) {
    yield { gpa: Number(gpa), access: accessAt(Number(gpa), inUse(vcpu, memory)) };
    return;
  }
  yield* inUse(vcpu, memory);
}

/** How a vCPU uses the page of an address. */
function accessAt(gpa: number, uses: Iterable<Suspect>): Access {
  const page = Math.floor(gpa / PAGE_SIZE);
  for (const use of uses) if (Math.floor(use.gpa / PAGE_SIZE) === page) return use.access;
  return 'unknown';
}

/** What the instruction at hand of a vCPU that does not run uses, likeliest first. */
export function* inUse(vcpu: Vcpu, memory: GuestMemoryAccess): Generator<Suspect> {
  const registers = vcpu.registers();
  const special = vcpu.specialRegisters();
  const resolve = (linear: bigint): number | undefined => {
    const address = BigInt.asUintN(64, linear);
    return vcpu.translate(address) ?? unreachableEntry(address, special, memory);
  };
  const at = special.cs.base + registers.rip;
  yield* suspect(resolve(at), 'execute');
  for (const operand of memoryOperands(codeAt(at, resolve, memory), { registers, special })) {
    for (const linear of pages(operand.linear, operand.size)) {
      yield* suspect(resolve(linear), operand.access);
    }
  }
  // An instruction that is not all there has no operands: the rest of it is what is missing.
  for (const linear of pages(at, INSTRUCTION_BYTES)) {
    yield* suspect(resolve(linear), 'execute');
  }
  // What the processor uses by itself to deliver an interrupt or exception.
  const stack = special.ss.base + registers.rsp - 1n;
  for (const linear of [stack, special.idt.base, special.gdt.base, special.tr.base]) {
    yield* suspect(resolve(linear), 'unknown');
  }
}

function* suspect(gpa: number | undefined, access: Access): Generator<Suspect> {
  if (gpa !== undefined) yield { gpa, access };
}

/** The address itself, and the start of each further page that `size` bytes from there on touch. */
function* pages(linear: bigint, size: number): Generator<bigint> {
  yield linear;
  const last = linear + BigInt(size - 1);
  for (let page = (linear / PAGE + 1n) * PAGE; page <= last; page += PAGE) yield page;
}

/** @returns up to 15 bytes; fewer where the next are not in memory */
function codeAt(
  linear: bigint,
  resolve: (linear: bigint) => number | undefined,
  memory: GuestMemoryAccess,
): Uint8Array {
  const bytes = new Uint8Array(INSTRUCTION_BYTES);
  let length = 0;
  while (length < INSTRUCTION_BYTES) {
    const gpa = resolve(linear + BigInt(length));
    if (gpa === undefined) break;
    const part = Math.min(INSTRUCTION_BYTES - length, PAGE_SIZE - (gpa % PAGE_SIZE));
    if (!memory.read(gpa, bytes.subarray(length), part)) break;
    length += part;
  }
  return bytes.subarray(0, length);
}
