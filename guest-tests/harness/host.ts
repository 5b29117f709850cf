import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

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
