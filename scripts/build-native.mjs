// Compiles the addon, build/Release/tsvmm.node: what has changed since the last time. It is N-API:
// one build serves every Node.js.
//
// Usage: node build-native.mjs
//
// Variables:
//   CXX       the compiler; default g++
//   NODEDIR   the folder whose include/node has Node.js's headers, where they are not found
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { includeFolders } from './lib/native-headers.mjs';

// Names are relative to the root: a copy of the tree is as up to date as the tree.
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const compiler = process.env.CXX || 'g++';

const DEFINES = [
  'NAPI_VERSION=9',
  'NAPI_CPP_EXCEPTIONS',
  'NODE_ADDON_API_CPP_EXCEPTIONS_ALL',
  // A worker may be terminated while the addon throws.
  'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
  'NODE_ADDON_API_DISABLE_DEPRECATED',
  'NODE_GYP_MODULE_NAME=tsvmm',
  'BUILDING_NODE_EXTENSION',
];
const CODE = ['-std=c++20', '-O2', '-fPIC', '-pthread', '-fvisibility=hidden'];
const WARNINGS = [
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wno-unused-parameter',
  '-Wno-cast-function-type',
];
// Signal handlers stay when the last worker has gone, so the code stays, too (nodelete).
// With the C++ library inside, an older one than the compiler's will do for those who get the
// addon. Nothing of it is exported, or it would mix with Node.js's own.
const LINK = [
  '-shared',
  '-pthread',
  '-static-libstdc++',
  '-Wl,--gc-sections',
  '-Wl,-z,nodelete',
  '-Wl,--version-script=native/exports.map',
];

const modified = (path) => statSync(resolve(root, path), { throwIfNoEntry: false })?.mtimeMs;

function run(args, what) {
  return new Promise((done, failed) => {
    const child = spawn(compiler, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', ({ code }) => {
      const hint = code === 'ENOENT' ? 'install g++, or name another compiler by CXX' : code;
      failed(new Error(`cannot run ${compiler}: ${hint}`));
    });
    child.on('exit', (status, signal) => {
      if (status === 0) done();
      else failed(new Error(`${compiler} has failed (${signal ?? status}) with ${what}`));
    });
  });
}

/** What an object was made of, as the compiler noted: `object: source header header …`. */
function partsOf(object) {
  const path = join(root, `${object}.d`);
  if (!existsSync(path)) return undefined;
  const [, words = ''] = readFileSync(path, 'utf8')
    .replace(/\\\n/g, ' ')
    .split(/:\s(.*)/s);
  return (words.match(/(?:\\.|\S)+/g) ?? []).map((name) => name.replace(/\\(.)/g, '$1'));
}

/** Whether a file was made by this command, and after all of its parts. */
function isUpToDate(target, command, parts) {
  const record = join(root, `${target}.command`);
  if (!existsSync(record) || readFileSync(record, 'utf8') !== command) return false;
  const made = modified(target);
  return made !== undefined && parts?.every((part) => modified(part) <= made) === true;
}

/** Makes a file under another name first: nobody sees half of it, and who uses the old one keeps it. */
async function make(target, args, what, parts) {
  const command = [compiler, ...args].join('\n');
  if (isUpToDate(target, command, parts)) return;
  const made = `${target}.${process.pid}`;
  try {
    await run([...args, '-o', made], what);
    renameSync(join(root, made), join(root, target));
  } finally {
    rmSync(join(root, made), { force: true });
  }
  writeFileSync(join(root, `${target}.command`), command);
}

/** Compiles as many sources at once as there are processors. @returns the objects */
async function compileAll(sources, includes) {
  const flags = [...CODE, ...WARNINGS, ...DEFINES.map((it) => `-D${it}`)];
  const left = [...sources];
  async function work() {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const [source, object] = [`native/${name}`, objectOf(name)];
      const notes = ['-MMD', '-MF', `${object}.d`, '-MT', object];
      await make(object, [...flags, ...includes, ...notes, '-c', source], source, partsOf(object));
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return sources.map(objectOf);
}

const objectOf = (name) => `build/obj/${name.replace(/\.cc$/, '.o')}`;

async function build() {
  const includes = includeFolders(root).map((folder) => {
    const inside = relative(root, folder);
    return `-I${inside.startsWith('..') ? folder : inside}`;
  });
  for (const folder of ['obj', 'Release'])
    mkdirSync(join(root, 'build', folder), { recursive: true });
  const sources = readdirSync(join(root, 'native')).filter((name) => name.endsWith('.cc'));
  const objects = await compileAll(sources.sort(), includes);
  const parts = [...objects, 'native/exports.map'];
  const addon = 'build/Release/tsvmm.node';
  await make(addon, [...LINK, ...objects], addon, parts);
}

try {
  await build();
} catch (error) {
  console.error(`tsvmm: the addon is not compiled: ${error.message}`);
  process.exitCode = 1;
}
