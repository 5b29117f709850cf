import { openBacking } from '../../../../memory/backing/open.ts';
import { plainSpec } from '../../../../memory/backing/spec.ts';
import { zeroingMemory } from '../../../../memory/backing/testing/zeroing-memory.ts';
import type { Backing } from '../../../../memory/backing.ts';
import type { Faults } from './faults.ts';
import type { Shape } from './shape.ts';

/** Memory of the kind that a shape names. */
export function hostMemory({ memory, blocks, blockSize }: Shape, faults: Faults): Backing {
  const plain = plainSpec('model', blocks * blockSize, blockSize);
  if (memory === 'zeroing') {
    const backing = zeroingMemory(plain.size, () => faults.meet('zero'));
    const byte = Uint8Array.of(1);
    for (let block = 0; block < blocks; block++) backing.mapping.write(block * blockSize, byte);
    return backing;
  }
  if (memory !== 'memfd') return openBacking({ ...plain, share: memory === 'shared' });
  return openBacking({ ...plain, type: 'memfd', share: true, seal: true, hugePageSize: 0 });
}
