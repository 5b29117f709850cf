import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Imports of a file by path, be they of values or of types alone; those of a function's body, too. */
const IMPORTS = /\bfrom\s+'(\.[^']+)'|\bimport\s*\(?\s*'(\.[^']+)'/g;

/** What each file imports: read once by a run of the linter, and by an editor's whenever it is linted. */
const imports = new Map();

function importsOf(file) {
  let found = imports.get(file);
  if (found === undefined) {
    found = [...textOf(file).matchAll(IMPORTS)].map((match) =>
      pathFrom(file, match[1] ?? match[2]),
    );
    imports.set(file, found);
  }
  return found;
}

/** What is not there is the compiler's to tell. */
function textOf(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

const pathFrom = (file, specifier) => resolve(dirname(file), specifier);

/** Whether following the imports of `from` leads to `to`. */
function leadsTo(from, to, seen = new Set()) {
  if (from === to) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  return importsOf(from).some((next) => leadsTo(next, to, seen));
}

/** Files that import each other in a circle, types included, are one file in several pieces. */
export default {
  meta: {
    type: 'problem',
    schema: [],
    messages: { cycle: '{{specifier}} imports this file, directly or by way of others' },
  },
  create(context) {
    imports.delete(context.filename);
    const check = ({ source }) => {
      if (typeof source?.value !== 'string' || !source.value.startsWith('.')) return;
      if (!leadsTo(pathFrom(context.filename, source.value), context.filename)) return;
      context.report({ node: source, messageId: 'cycle', data: { specifier: source.value } });
    };
    return {
      ImportDeclaration: check,
      ImportExpression: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
    };
  },
};
