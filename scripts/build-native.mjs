// Compiles the addon. The headers of the Node.js that runs this are used where they are
// installed beside it, so that nothing is downloaded on a machine that has them.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const prefix = join(dirname(process.execPath), '..');
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');

const options = ['--loglevel=warn', '--jobs=max'];
if (existsSync(join(prefix, 'include/node/node_api.h'))) options.push(`--nodedir=${prefix}`);

// Not `rebuild`, which starts by removing the addon that a running process may be about to load.
for (const step of ['configure', 'build']) {
  const args = [nodeGyp, step, ...options];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    process.exitCode = status ?? 1;
    break;
  }
}
