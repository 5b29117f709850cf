// The command as few files: loading a hundred modules one by one would take Node.js longer than
// all else that happens before the guest runs. What is rarely used stays a file of its own.
export default {
  input: { cli: 'dist/cli.js' },
  platform: 'node',
  external: [/^node:/, 'pino', 'pino-pretty', 'iced-x86', 'yaml'],
  output: {
    dir: 'dist',
    format: 'esm',
    chunkFileNames: 'bundle/[name]-[hash].js',
    sourcemap: true,
  },
};
