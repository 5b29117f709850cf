import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const BUNDLE = join(import.meta.dirname, 'dist', 'bundle');
const external = [/^node:/, 'pino', 'pino-pretty', 'iced-x86', 'yaml'];

/**
 * commander could start subcommands that are programs; ours are none, and what it would start them
 * with takes 5 ms to load.
 */
const withoutChildProcesses = {
  name: 'without-child-processes',
  resolveId: (id) => (id === 'node:child_process' ? { id: '\0no-child-process' } : null),
  load: (id) => (id === '\0no-child-process' ? 'export default {};' : null),
};

/** Tells the launcher what to start: names have a hash of the contents. */
const entryFile = {
  name: 'entry-file',
  buildStart: () => rmSync(BUNDLE, { recursive: true, force: true }),
  writeBundle(_options, bundle) {
    const entry = Object.values(bundle).find((chunk) => chunk.isEntry);
    writeFileSync(join(BUNDLE, 'entry'), entry.fileName);
  },
};

// The command as few files: loading a hundred modules one by one would take Node.js longer than
// all else that happens before the guest runs. What is rarely used stays a file of its own. They are
// CommonJS, since Node.js takes longer to load any other kind, and keeps compiled code of this alone.
export default [
  {
    input: { command: 'dist/cli.js' },
    platform: 'node',
    external,
    plugins: [withoutChildProcesses, entryFile],
    output: {
      dir: BUNDLE,
      format: 'cjs',
      entryFileNames: '[name]-[hash].cjs',
      chunkFileNames: '[name]-[hash].cjs',
      sourcemap: true,
    },
  },
  {
    input: { cli: 'dist/launch/launch.js' },
    platform: 'node',
    external,
    output: { dir: 'dist', format: 'cjs', entryFileNames: '[name].cjs' },
  },
];
