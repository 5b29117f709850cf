import type { IoRangeTags } from '../bus/io-range-tags.ts';
import { allOnes } from '../bytes.ts';
import { EXIT_KIND, type VcpuExit } from '../kvm/exit.ts';
import type { PostedRing } from '../kvm/posted-ring.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import { messageOf } from '../errors.ts';
import { log } from '../log.ts';

const logger = log('exits');
const TWO_32 = 2 ** 32;

export interface ExitDispatchOptions {
  readonly tags: IoRangeTags;
  readonly ring: PostedRing;
  readonly vcpu: (id: number) => Vcpu;
  /** A vCPU has parked. */
  readonly onParked: (id: number) => void;
  /** An access has been served; the vCPU still waits for its answer. */
  readonly onServed: (vcpu: Vcpu, exit: VcpuExit) => void;
  /** An exit that no device answers: the vCPU waits for resume(). */
  readonly onUnhandled: (vcpu: Vcpu, exit: VcpuExit) => void;
}

/** Brings exits of vCPUs to the devices whose ranges they hit, and answers them. */
export class ExitDispatch {
  readonly #options: ExitDispatchOptions;

  constructor(options: ExitDispatchOptions) {
    this.#options = options;
  }

  /** Hands posted writes to their devices, in order. */
  readonly onPosted = (): void => {
    this.#options.ring.drain(this.#posted);
  };

  /** Serves one exit. */
  readonly onExit = (id: number): void => {
    // What the vCPU posted before this exit comes first.
    this.onPosted();
    const vcpu = this.#options.vcpu(id);
    const exit = vcpu.readExit();
    switch (exit.kind) {
      case EXIT_KIND.port:
      case EXIT_KIND.mmio:
        this.#serveAccess(vcpu, exit);
        return;
      case EXIT_KIND.parked:
        this.#options.onParked(id);
        return;
      default:
        this.#options.onUnhandled(vcpu, exit);
    }
  };

  readonly #posted = (
    tag: number,
    _vcpu: number,
    offset: number,
    size: number,
    low: number,
    high: number,
  ): void => {
    this.#write(tag, offset, size, low, high);
  };

  #serveAccess(vcpu: Vcpu, exit: VcpuExit): void {
    const range = this.#options.tags.get(exit.tag);
    const offset = range === undefined ? 0 : exit.addr - range.base;
    if (exit.isWrite) {
      this.#write(exit.tag, offset, exit.size, exit.dataLow, exit.dataHigh);
      this.#options.onServed(vcpu, exit);
      vcpu.resume();
      return;
    }
    const wide = exit.size === 8;
    const bytewise = !wide && !isSimple(exit.size) && range?.handler.takesAnySize === true;
    const low = bytewise
      ? this.#readBytes(exit.tag, offset, Math.min(exit.size, 4))
      : this.#read(exit.tag, offset, wide ? 4 : exit.size);
    const high = wide
      ? this.#read(exit.tag, offset + 4, 4)
      : bytewise
        ? this.#readBytes(exit.tag, offset + 4, exit.size - 4)
        : 0;
    this.#options.onServed(vcpu, exit);
    vcpu.answer(low, high);
  }

  /** @param count  up to 4; none where it is less than 1 */
  #readBytes(tag: number, offset: number, count: number): number {
    let value = 0;
    for (let at = count - 1; at >= 0; at--) value = value * 256 + this.#read(tag, offset + at, 1);
    return value;
  }

  #read(tag: number, offset: number, size: number): number {
    const range = this.#options.tags.get(tag);
    if (range === undefined || !isSimple(size)) return allOnes(isSimple(size) ? size : 4);
    try {
      return range.handler.read(offset, size);
    } catch (error) {
      logger.error({ range: range.name, offset, error: messageOf(error) }, 'read failed');
      return allOnes(size);
    }
  }

  #write(tag: number, offset: number, size: number, low: number, high: number): void {
    const range = this.#options.tags.get(tag);
    if (range === undefined) return;
    try {
      if (size === 8) {
        range.handler.write(offset, 4, low % TWO_32);
        range.handler.write(offset + 4, 4, high);
      } else if (isSimple(size)) {
        range.handler.write(offset, size, low);
      }
    } catch (error) {
      logger.error({ range: range.name, offset, error: messageOf(error) }, 'write failed');
    }
  }
}

/** x86 accesses of 3, 5, 6 or 7 bytes exist where an instruction crosses a page; no device takes them. */
function isSimple(size: number): boolean {
  return size === 1 || size === 2 || size === 4;
}
