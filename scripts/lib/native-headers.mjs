// Where the headers are that the addon is compiled with.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Folders that may have include/node: Node.js's own, Debian's, and what node-gyp has fetched. */
function nodeFolders() {
  const { NODEDIR, npm_config_nodedir, XDG_CACHE_HOME } = process.env;
  const cache = XDG_CACHE_HOME || join(homedir(), '.cache');
  const folders = [
    NODEDIR,
    npm_config_nodedir,
    join(dirname(process.execPath), '..'),
    '/usr',
    join(cache, 'node-gyp', process.versions.node),
  ];
  return [...new Set(folders.filter(Boolean))];
}

const headersIn = (folder) => join(folder, 'include', 'node');

/** @returns the folder whose include/node has Node.js's headers; undefined when there is none */
export function findNodeFolder() {
  return nodeFolders().find((folder) =>
    ['node_api.h', 'uv.h'].every((file) => existsSync(join(headersIn(folder), file))),
  );
}

function nodeHeaders() {
  const found = findNodeFolder();
  if (found !== undefined) return headersIn(found);
  const folders = nodeFolders().map(headersIn).join(', ');
  throw new Error(
    `no headers of Node.js (node_api.h, uv.h) in ${folders}: 'npx node-gyp install' fetches them, or name the folder that has include/node by NODEDIR`,
  );
}

/** Those of node-addon-api, which the package brings along. */
function napiHeaders(root) {
  const folder = join(root, 'build', 'node-addon-api');
  if (existsSync(join(folder, 'napi.h'))) return folder;
  throw new Error(`no napi.h in ${folder}: the package is not whole, install it again`);
}

/** @throws Error when headers are missing; its message says what to do */
export function includeFolders(root) {
  return [nodeHeaders(), napiHeaders(root)];
}
