import type { ObjectInfo } from './control.ts';

/** Path of a vCPU's object. */
export const cpuPath = (id: number): string => `/machine/unattached/device[${id}]`;

/** A vCPU as an object. Its APIC id is its number. */
export function cpuObject({ id }: { readonly id: number }): ObjectInfo {
  return {
    path: cpuPath(id),
    type: 'x86_64-cpu',
    properties: [{ name: 'apic-id', type: 'int', value: id, writable: false }],
  };
}
