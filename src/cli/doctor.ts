import { readdirSync, readFileSync } from 'node:fs';
import { messageOf } from '../errors.ts';
import { formatSize, GIB, KIB, MIB, TIB } from '../units.ts';
import { CAPABILITY } from '../kvm/capabilities.ts';
import { KvmSystem } from '../kvm/system.ts';
import { physicalAddressBits } from '../machine/cpuid.ts';
import { describeModel, inspectHostKvm, metadataModel } from '../machine/host-kvm.ts';
import { memslotMetadataBytes, whenNesting, type MetadataModel } from '../memory/memslot-cost.ts';

/** One line of the report: `ok`, `note` for what limits, `bad` for what will not work. */
interface Finding {
  readonly verdict: 'ok' | 'note' | 'bad';
  readonly text: string;
  readonly fix?: string;
}

const ok = (text: string): Finding => ({ verdict: 'ok', text });
const note = (text: string, fix?: string): Finding => ({
  verdict: 'note',
  text,
  ...(fix === undefined ? {} : { fix }),
});
const bad = (text: string, fix: string): Finding => ({ verdict: 'bad', text, fix });

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function kvmDevice(): Finding[] {
  try {
    const kvm = KvmSystem.open();
    try {
      return kvmFindings(kvm);
    } finally {
      kvm.close();
    }
  } catch (error) {
    // The message says what to do after a colon.
    const [what = '', ...fix] = messageOf(error).split(': ');
    return [bad(what, fix.length > 0 ? fix.join(': ') : 'mknod /dev/kvm c 10 232')];
  }
}

function kvmFindings(kvm: KvmSystem): Finding[] {
  const host = inspectHostKvm();
  const findings: Finding[] = [];
  findings.push(
    host.hardware
      ? ok(
          `KVM with hardware virtualization (${host.module ?? 'module unknown'}): Linux guests run`,
        )
      : bad(
          `KVM without hardware virtualization (${host.module ?? 'unknown'}): it emulates guest kernel code and cannot run a Linux kernel, only bare-metal programs`,
          'use a host with VT-x or AMD-V, or run tsvmm in a nested machine with scripts/nested',
        ),
  );
  const bits = physicalAddressBits(kvm.supportedCpuid());
  const reach = 2 ** bits;
  const width = `guests have ${bits} physical address bits: device memory ends at ${formatSize(reach)}`;
  findings.push(
    reach > 2 * TIB
      ? ok(width)
      : note(
          width,
          'a 1T device does not fit above boot memory; on an emulated CPU give it more bits, as -cpu max,phys-bits=48',
        ),
  );
  const slots = kvm.checkExtension(CAPABILITY.NR_MEMSLOTS);
  findings.push(
    slots >= 1024
      ? ok(`${slots} memslots`)
      : note(`${slots} memslots: large devices get large memslots`),
  );
  findings.push(memslotMetadata(metadataModel(host)));
  return findings;
}

/** What KVM takes for memory devices, now and once a guest runs guests of its own. */
function memslotMetadata(model: MetadataModel): Finding {
  const costs = (of: MetadataModel): readonly [string, string] => [
    formatCost(memslotMetadataBytes(TIB, of)),
    formatCost(memslotMetadataBytes(GIB, of)),
  ];
  const [perTib, perGib] = costs(model);
  const [nestedPerTib, nestedPerGib] = costs(whenNesting(model));
  const text = `memslot metadata (${describeModel(model)}): ${perTib} for a static 1T device, ${perGib} per plugged GiB with dynamic-memslots=on`;
  const later = `; once the guest runs guests of its own ${nestedPerTib} and ${nestedPerGib}`;
  return ok(nestedPerTib === perTib ? text : text + later);
}

function formatCost(bytes: number): string {
  if (bytes >= GIB) return `${(bytes / GIB).toFixed(2)} GiB`;
  return bytes >= MIB ? `${(bytes / MIB).toFixed(1)} MiB` : `${Math.ceil(bytes / KIB)} KiB`;
}

function hugePages(): Finding[] {
  const base = '/sys/kernel/mm/transparent_hugepage';
  const mode = /\[(\w+)\]/.exec(readText(`${base}/enabled`) ?? '')?.[1];
  const size = readText(`${base}/hpage_pmd_size`);
  if (mode === undefined || size === undefined) {
    return [note('no transparent huge pages: guest memory is backed by base pages')];
  }
  const text = `transparent huge pages: ${mode}, ${formatSize(Number(size))}`;
  if (mode === 'always') return [ok(text)];
  return [note(`${text}: guest memory is backed by base pages`, `echo always > ${base}/enabled`)];
}

/** Pages that memory backends with hugetlb may take. */
function hugetlbPages(): Finding[] {
  const base = '/sys/kernel/mm/hugepages';
  let sizes: readonly string[];
  try {
    sizes = readdirSync(base);
  } catch {
    return [note('no hugetlb: memory backends with hugetlb=on will not work')];
  }
  return sizes.map((name) => {
    const size = formatSize(Number(/\d+/.exec(name)?.[0]) * KIB);
    const total = readText(`${base}/${name}/nr_hugepages`) ?? '0';
    const free = readText(`${base}/${name}/free_hugepages`) ?? '0';
    const text = `huge pages of ${size} for hugetlb backends: ${free} of ${total} free`;
    return total === '0' ? note(text, `echo N > ${base}/${name}/nr_hugepages`) : ok(text);
  });
}

function memoryLimits(): Finding[] {
  const findings: Finding[] = [];
  const meminfo = readText('/proc/meminfo') ?? '';
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(meminfo)?.[1] ?? 0) * KIB;
  findings.push(
    ok(
      `memory: ${(field('MemAvailable') / GIB).toFixed(1)} GiB available of ${(field('MemTotal') / GIB).toFixed(1)} GiB`,
    ),
  );
  if (readText('/proc/sys/vm/overcommit_memory') === '2') {
    findings.push(
      bad(
        'vm.overcommit_memory=2: reserving address space for a large device will fail',
        'sysctl vm.overcommit_memory=0',
      ),
    );
  }
  const maps = Number(readText('/proc/sys/vm/max_map_count') ?? 0);
  findings.push(
    maps >= 65_530
      ? ok(`${maps} mappings per process`)
      : note(`${maps} mappings per process`, 'sysctl vm.max_map_count=65530'),
  );
  const limit = /^Max address space\s+(\S+)/m.exec(readText('/proc/self/limits') ?? '')?.[1];
  if (limit !== undefined && limit !== 'unlimited') {
    findings.push(
      bad(`address space is limited to ${formatSize(Number(limit))}`, 'ulimit -v unlimited'),
    );
  }
  return findings;
}

/** Prints what works here and what does not. @returns exit code: 1 when something is bad */
export function doctor(): number {
  const findings = [...kvmDevice(), ...hugePages(), ...hugetlbPages(), ...memoryLimits()];
  const marks = { ok: 'ok  ', note: 'note', bad: 'BAD ' } as const;
  for (const { verdict, text, fix } of findings) {
    process.stdout.write(`${marks[verdict]}  ${text}\n`);
    if (fix !== undefined) process.stdout.write(`      to change it: ${fix}\n`);
  }
  return findings.some(({ verdict }) => verdict === 'bad') ? 1 : 0;
}
