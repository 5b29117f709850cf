import type { MachineControl } from '../../machine/control.ts';
import { descendants, objectTree, type ObjectNode } from '../../monitor/object-tree.ts';
import { genericError, QmpError, quoted } from '../error.ts';

/** Finds an object by its absolute path, or by any end of it that no other object shares. */
export function findObject(
  { control }: { readonly control: Pick<MachineControl, 'objects'> },
  path: string,
): ObjectNode {
  const root = objectTree(control.objects());
  const name = path.replace(/\/+$/, '');
  if (path.startsWith('/') && name === '') return root;
  const wanted = path.startsWith('/') ? name : `/${name}`;
  const matches = descendants(root).filter((node) =>
    path.startsWith('/') ? node.path === wanted : node.path.endsWith(wanted),
  );
  const [found, other] = matches;
  if (found === undefined || path === '') {
    throw new QmpError('DeviceNotFound', `Device ${quoted(path)} not found`);
  }
  if (other !== undefined) {
    throw genericError(`Path ${quoted(path)} does not uniquely identify an object`);
  }
  return found;
}

/** @returns the number of a vCPU that there is: the first when none was asked for */
export function checkCpu(control: Pick<MachineControl, 'cpus'>, index: number | undefined): number {
  if (index === undefined) return 0;
  if (control.cpus().some(({ id }) => id === index)) return index;
  throw genericError("Parameter 'cpu-index' expects a CPU number");
}

/** A number that the protocol may give as a bigint, where memory ends before that. */
export function checkAddress(name: string, value: number | bigint): number {
  if (value <= Number.MAX_SAFE_INTEGER) return Number(value);
  throw genericError(`Parameter ${quoted(name)} is past the end of memory`);
}

export function checkRange(name: string, value: number, first: number, last: number): number {
  if (value >= first && value <= last) return value;
  throw genericError(`Parameter ${quoted(name)} expects a number from ${first} to ${last}`);
}
