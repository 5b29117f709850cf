// Compiles the addon, build/Release/tsvmm.node, as binding.gyp says. It is N-API: one build serves
// every Node.js. In a checkout node-gyp does it, and compiles what has changed; in an installed
// package, which has no node-gyp, g++ is enough.
//
// Usage: node build-native.mjs
//
// Variables:
//   CXX       the compiler; default g++
//   NODEDIR   the folder whose include/node has Node.js's headers, where they are not found
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileNative } from './lib/compile-native.mjs';
import { findNodeFolder } from './lib/native-headers.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Without a folder of headers node-gyp fetches them. */
function runNodeGyp() {
  const program = join(root, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  if (!existsSync(program)) throw new Error(`there is no ${program}: 'npm ci' installs it`);
  const folder = findNodeFolder();
  const headers = folder === undefined ? [] : [`--nodedir=${folder}`];
  const args = [program, 'configure', 'build', '--jobs=max', '--loglevel=warn', ...headers];
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', failed);
    child.on('exit', (status, signal) => {
      if (status === 0) done();
      else failed(new Error(`node-gyp has failed (${signal ?? status})`));
    });
  });
}

try {
  await (existsSync(join(root, 'binding.gyp')) ? runNodeGyp() : compileNative(root));
} catch (error) {
  console.error(`tsvmm: the addon is not compiled: ${error.message}`);
  process.exitCode = 1;
}
