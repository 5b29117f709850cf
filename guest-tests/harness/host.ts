import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

function kilobytes(file: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(file, 'utf8'));
  if (match?.[1] === undefined) throw new Error(`no ${name} in ${file}`);
  return Number(match[1]) * 1024;
}

/** Bytes of a process that are resident. */
export function residentBytes(pid: number): number {
  return kilobytes(`/proc/${pid}/smaps_rollup`, 'Rss');
}

/** Bytes that the kernel has taken by vmalloc, memslot metadata among them. */
export function vmallocUsedBytes(): number {
  return kilobytes('/proc/meminfo', 'VmallocUsed');
}

/** CPU time of a process so far, all threads, in milliseconds. */
export function cpuTimeMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10; // utime, stime in ticks of 1/100 s
}

/** Processes whose executable or command line mentions `text`. */
export function processesMentioning(text: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    });
}

/** What a process's file descriptors point to. */
export function openFiles(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(`${folder}/${fd}`)];
    } catch {
      return [];
    }
  });
}

/**
 * Resident bytes of device memory in a process, when boot memory is not anonymous: of the mappings
 * that no child would inherit, and that begin and end at multiples of `blockSize`, as only those of
 * plugged blocks do, or that nobody may access.
 */
export function deviceResidentBytes(pid: number, blockSize: number): number {
  const mapping =
    /^([0-9a-f]+)-([0-9a-f]+) (\S+) 0+ 00:00 0 *\n(?:.*\n)*?Rss: +(\d+) kB\n(?:.*\n)*?VmFlags:(.*)/gm;
  let resident = 0;
  for (const match of readFileSync(`/proc/${pid}/smaps`, 'utf8').matchAll(mapping)) {
    const [start, end] = [parseInt(match[1] ?? '', 16), parseInt(match[2] ?? '', 16)];
    const isBlocks = start % blockSize === 0 && end % blockSize === 0;
    const isOurs = match[5]?.includes(' dc ') === true && (isBlocks || match[3] === '---p');
    if (isOurs) resident += Number(match[4]) * 1024;
  }
  return resident;
}

/** Bytes of the memory files that a process has open: those without a name, or named `memory-file`. */
export function memoryFileBytes(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  const files = new Map<number, number>();
  for (const fd of readdirSync(folder)) {
    if (!/memfd:|memory-file/.test(readlinkSync(`${folder}/${fd}`))) continue;
    const { ino, blocks } = statSync(`${folder}/${fd}`);
    files.set(ino, blocks * 512);
  }
  return [...files.values()].reduce((sum, size) => sum + size, 0);
}

/** Of what shows zeros in place of unplugged blocks: how large it is, and how much is resident, in bytes. */
export function shownZeros(
  pid: number,
  blockSize: number,
): { readonly size: number; readonly resident: number } {
  const mapping = /^([0-9a-f]+)-([0-9a-f]+) r--p 0+ 00:00 0 *\n(?:.*\n)*?Rss: +(\d+) kB/gm;
  let [size, resident] = [0, 0];
  for (const match of readFileSync(`/proc/${pid}/smaps`, 'utf8').matchAll(mapping)) {
    const [start, end] = [parseInt(match[1] ?? '', 16), parseInt(match[2] ?? '', 16)];
    if (start % blockSize !== 0 || end % blockSize !== 0) continue;
    size += end - start;
    resident += Number(match[3]) * 1024;
  }
  return { size, resident };
}
