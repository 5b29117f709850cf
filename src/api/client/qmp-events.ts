import type { JsonObject } from '../../qmp/json/value.ts';
import type { VmEvent } from '../event-hub.ts';
import { numberOf, textOf } from './answers.ts';

/** An event of QMP as an event of a machine; undefined for one that says nothing new, or is not known. */
export function vmEvent(name: string, data: JsonObject): VmEvent | undefined {
  switch (name) {
    case 'STOP':
      return { type: 'stop' };
    case 'RESUME':
      return { type: 'resume' };
    case 'POWERDOWN':
      return { type: 'powerdown' };
    case 'RESET':
      return { type: 'reset', guest: data['guest'] === true, cause: textOf(data, 'reason') };
    case 'SHUTDOWN':
      return { type: 'shutdown', guest: data['guest'] === true, cause: textOf(data, 'reason') };
    case 'MEMORY_DEVICE_SIZE_CHANGE':
      return {
        type: 'memory-device-size',
        id: textOf(data, 'id'),
        size: numberOf(data, 'size'),
        path: textOf(data, 'qom-path'),
      };
    default:
      return undefined;
  }
}
