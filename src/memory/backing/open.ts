import type { Backing } from '../backing.ts';
import { openAnonymous } from './anonymous.ts';
import { openDeviceDax } from './device-dax.ts';
import { openDevmem } from './devmem.ts';
import { openFile } from './file.ts';
import { inspectPath } from './file-facts.ts';
import { openMemfd } from './memfd.ts';
import type { BackingSpec, FileSpec } from './spec.ts';

function openFileOrDevice(spec: FileSpec): Backing {
  const facts = inspectPath(spec.path);
  return facts.kind === 'device-dax' ? openDeviceDax(spec, facts) : openFile(spec, facts);
}

/**
 * Opens and maps memory, nothing of it allocated yet.
 *
 * @throws ConfigError for what the user can mend, HostError for what the host does not give
 */
export function openBacking(spec: BackingSpec): Backing {
  switch (spec.type) {
    case 'ram':
      return openAnonymous(spec);
    case 'memfd':
      return openMemfd(spec);
    case 'file':
      return openFileOrDevice(spec);
    case 'devmem':
      return openDevmem(spec);
  }
}
