// Makes the compiled addon fit for the package, for npm's prepack: it must load on the oldest C
// library that is promised, and what it is compiled with goes along, for hosts where it does not.
//
// Usage: node pack-native.mjs           check build/Release/tsvmm.node, make build/node-addon-api
//                                       and build/tsvmm.gyp
//        node pack-native.mjs --clean   remove these two
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** glibc of Debian 12. Of the C++ library there must be nothing: it is inside. */
const NEWEST_GLIBC = [2, 36];

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const addon = join(root, 'build', 'Release', 'tsvmm.node');
const headers = join(root, 'build', 'node-addon-api');
/** Not binding.gyp, at which npm and pnpm take a package for one that must be compiled. */
const recipe = join(root, 'build', 'tsvmm.gyp');

function isPromised(version) {
  if (/^GCC_[34]\./.test(version)) return true;
  const [, major, minor] = /^GLIBC_(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) === NEWEST_GLIBC[0] && Number(minor) <= NEWEST_GLIBC[1];
}

function check() {
  const headers = execFileSync('objdump', ['-p', addon], { encoding: 'utf8' });
  const [, references] = headers.split('Version References:');
  const versions = references.match(/(?<=0x\S+ 0x\S+ \d+ )\S+/g);
  const wrong = versions.filter((version) => !isPromised(version));
  if (wrong.length === 0) return;
  throw new Error(`the addon needs ${wrong.join(', ')}: for glibc 2.36, compile it on Debian 12`);
}

function copyHeaders() {
  const source = dirname(createRequire(import.meta.url).resolve('node-addon-api/package.json'));
  mkdirSync(headers, { recursive: true });
  for (const name of readdirSync(source)) {
    if (/\.h$|^LICENSE/.test(name)) copyFileSync(join(source, name), join(headers, name));
  }
}

for (const made of [headers, recipe]) rmSync(made, { recursive: true, force: true });
if (process.argv[2] !== '--clean') {
  check();
  copyHeaders();
  copyFileSync(join(root, 'binding.gyp'), recipe);
}
