import { ConfigError } from '../../errors.ts';
import type { MonitorCommand } from '../command.ts';
import { roughSize } from '../text.ts';
import { evaluate, evaluateNumber } from './memory-dump.ts';

const PARAMETERS = [
  { name: 'addr' },
  { name: 'size' },
  { name: 'file', rest: true, kind: 'file' },
] as const;

function checkSize(size: number): number {
  if (size > 0) return size;
  throw new ConfigError('BAD_VALUE', 'size=0: there is nothing to save');
}

export const memsave: MonitorCommand = {
  name: 'memsave',
  parameters: PARAMETERS,
  summary: "save virtual memory to a file (by the page tables of the monitor's vCPU)",
  details:
    'All of it must be mapped, and hold memory: at the first address that does not, saving ends with ' +
    'an error, and the file keeps what comes before. The guest runs on meanwhile; `stop` it first for a ' +
    'picture of one moment. The file is emptied first, and only its owner can read a new one.',
  run: async (args, context) => {
    const address = await evaluate(args.required('addr'), context);
    const size = checkSize(await evaluateNumber('size', args.required('size'), context));
    const inspection = await context.control.inspect();
    await inspection.saveVirtual(context.settings.cpu, address, size, args.required('file'));
    return '';
  },
};

export const pmemsave: MonitorCommand = {
  name: 'pmemsave',
  parameters: PARAMETERS,
  summary: 'save guest-physical memory to a file, as: pmemsave 0 0x100000 low.bin',
  details:
    'Byte *n* of the file is address *addr + n*. RAM and plugged memory are saved; memory that is ' +
    'not plugged, and addresses without memory, are never read: they are holes in the file, which ' +
    'read zeros and take no room on disk, and a line says how much they are. A range without ' +
    'any memory is refused. The guest runs on meanwhile, as with `memsave`; what it wants to plug or ' +
    'unplug is answered BUSY until all is saved, and then it is reminded.',
  run: async (args, context) => {
    const gpa = await evaluateNumber('addr', args.required('addr'), context);
    const size = checkSize(await evaluateNumber('size', args.required('size'), context));
    const inspection = await context.control.inspect();
    const { saved, holes } = await inspection.savePhysical(gpa, size, args.required('file'));
    if (holes === 0) return '';
    return `saved ${roughSize(saved)}; the other ${roughSize(holes)} hold no memory and are a hole in the file\n`;
  },
};
