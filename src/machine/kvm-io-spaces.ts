import { IoRangeList, type IoBackend } from '../bus/io-range-list.ts';
import type { ServedRange } from '../bus/served-range.ts';
import { IoRangeTags } from '../bus/io-range-tags.ts';
import type { IoSpace as NativeIoSpace, NativeVm } from '../kvm/addon.ts';
import { GPA_LIMIT } from '../units.ts';

type IoVm = Pick<NativeVm, 'addIoRange' | 'removeIoRange' | 'ioShadow'>;

/** Ranges of one space, in the addon's table. */
class KvmIoBackend implements IoBackend {
  readonly #vm: IoVm;
  readonly #space: NativeIoSpace;

  constructor(vm: IoVm, space: NativeIoSpace) {
    this.#vm = vm;
    this.#space = space;
  }

  add(range: ServedRange): Uint8Array | undefined {
    const { base, size, read, write, tag } = range;
    const offset = this.#vm.addIoRange({ space: this.#space, base, size, read, write, tag });
    return read === 'shadow' ? new Uint8Array(this.#vm.ioShadow, offset, size) : undefined;
  }

  remove(range: ServedRange): void {
    this.#vm.removeIoRange(this.#space, range.base);
  }
}

/** The machine's ports and MMIO, and which range a tag names. */
export interface KvmIoSpaces {
  readonly ports: IoRangeList;
  readonly mmio: IoRangeList;
  readonly tags: IoRangeTags;
}

export function createIoSpaces(vm: IoVm): KvmIoSpaces {
  const tags = new IoRangeTags();
  const space = (name: string, kind: NativeIoSpace, size: number): IoRangeList =>
    new IoRangeList({ name, size, tags, backend: new KvmIoBackend(vm, kind) });
  return { ports: space('port', 'port', 0x1_0000), mmio: space('MMIO', 'mmio', GPA_LIMIT), tags };
}
