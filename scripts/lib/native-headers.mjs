// Where the headers are that the addon is compiled with.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Folders where Node.js's headers may be: its own folder, Debian's, and what node-gyp has fetched. */
function nodeFolders() {
  const { NODEDIR, npm_config_nodedir, XDG_CACHE_HOME } = process.env;
  const cache = XDG_CACHE_HOME || join(homedir(), '.cache');
  return [
    NODEDIR,
    npm_config_nodedir,
    join(dirname(process.execPath), '..'),
    '/usr',
    join(cache, 'node-gyp', process.versions.node),
  ]
    .filter(Boolean)
    .map((folder) => join(folder, 'include', 'node'));
}

function nodeHeaders() {
  const folders = [...new Set(nodeFolders())];
  const found = folders.find((folder) =>
    ['node_api.h', 'uv.h'].every((file) => existsSync(join(folder, file))),
  );
  if (found !== undefined) return found;
  throw new Error(
    `no headers of Node.js (node_api.h, uv.h) in ${folders.join(', ')}: 'npx node-gyp install' fetches them, or name the folder that has include/node by NODEDIR`,
  );
}

/** Those of node-addon-api: a checkout has them installed, the package brings them along. */
function napiHeaders(root) {
  const folders = ['node_modules', 'build'].map((name) => join(root, name, 'node-addon-api'));
  const found = folders.find((folder) => existsSync(join(folder, 'napi.h')));
  if (found !== undefined) return found;
  throw new Error(`no napi.h in ${folders.join(', ')}: 'npm ci' installs it`);
}

/** @throws Error when headers are missing; its message says what to do */
export function includeFolders(root) {
  return [nodeHeaders(), napiHeaders(root)];
}
