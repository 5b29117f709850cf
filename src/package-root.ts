import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

let root: string | undefined;

/** The folder of package.json above this file, wherever the build has put its code. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('tsvmm is not installed as a package: no package.json');
    folder = parent;
  }
  return folder;
}

/** Path of a file of the package, as `build/Release/tsvmm.node`. */
export function packageFile(path: string): string {
  root ??= packageRoot();
  return join(root, path);
}
