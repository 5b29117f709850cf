// Compiles the addon of an installed package with g++ alone, as binding.gyp says.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { includeFolders } from './native-headers.mjs';

const compiler = process.env.CXX || 'g++';

/** What node-gyp adds of its own. */
const GYP_COMPILES = [
  '-fPIC',
  '-pthread',
  '-DNODE_GYP_MODULE_NAME=tsvmm',
  '-DBUILDING_NODE_EXTENSION',
];
const GYP_LINKS = ['-shared', '-pthread'];

/**
 * The addon's target in binding.gyp, which the package has under another name.
 *
 * @returns flags for compiling and linking, as from the root
 */
export function readRecipe(file) {
  const json = readFileSync(file, 'utf8').replace(/^ *#.*$/gm, '');
  const { defines, cflags_cc, ldflags } = JSON.parse(json).targets[0];
  return {
    // A newer compiler has more to warn of, and its user could do nothing about it.
    compile: [...cflags_cc.filter((it) => it !== '-Werror'), ...defines.map((it) => `-D${it}`)],
    link: ldflags.map((it) => it.replace('<(module_root_dir)/', '')),
  };
}

function run(root, args, what) {
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

/** Compiles as many sources at once as there are processors. @returns the objects */
async function compileAll(root, flags, objects) {
  const sources = readdirSync(join(root, 'native')).filter((name) => name.endsWith('.cc'));
  const left = [...sources];
  async function work() {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const output = ['-o', join(objects, `${name}.o`)];
      await run(root, [...flags, '-c', `native/${name}`, ...output], `native/${name}`);
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return sources.map((name) => join(objects, `${name}.o`));
}

/**
 * Makes build/Release/tsvmm.node of what is in native/.
 *
 * @param root  of the package
 * @throws Error whose message says what to do
 */
export async function compileNative(root) {
  const { compile, link } = readRecipe(join(root, 'build', 'tsvmm.gyp'));
  const includes = includeFolders(root).map((folder) => {
    const inside = relative(root, folder);
    return `-I${inside.startsWith('..') ? folder : inside}`;
  });
  const release = join('build', 'Release');
  mkdirSync(join(root, release), { recursive: true });
  const scratch = relative(root, mkdtempSync(join(root, 'build', 'made-')));
  try {
    const objects = await compileAll(root, [...GYP_COMPILES, ...compile, ...includes], scratch);
    // Under another name first: nobody sees half of it, and who uses the old one keeps it.
    const made = join(scratch, 'tsvmm.node');
    await run(root, [...GYP_LINKS, ...link, ...objects, '-o', made], made);
    renameSync(join(root, made), join(root, release, 'tsvmm.node'));
  } finally {
    rmSync(join(root, scratch), { recursive: true, force: true });
  }
}
