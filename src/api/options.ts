/** Bytes, or text as on the command line: `'4G'`. */
export type Size = number | string;

/** A memory device: the keys of `--virtio-mem`, in camel case. */
export interface VirtioMemSpec {
  /** Default: `vm0`, `vm1`, … by position. */
  readonly id?: string | undefined;
  /** What the guest can grow by. May be left out with `memdev`. */
  readonly size?: Size | undefined;
  /** Id of one of `memoryBackends`. */
  readonly memdev?: string | undefined;
  readonly requestedSize?: Size | undefined;
  readonly blockSize?: Size | undefined;
  readonly node?: number | undefined;
  readonly memaddr?: Size | undefined;
  readonly prealloc?: boolean | undefined;
  readonly unpluggedInaccessible?: 'on' | 'off' | 'auto' | undefined;
  readonly dynamicMemslots?: boolean | undefined;
  readonly memslotSize?: Size | undefined;
  readonly protectUnplugged?: 'on' | 'off' | 'auto' | undefined;
}

/** Host memory: the type and keys of `--memory-backend`, in camel case. */
export interface MemoryBackendSpec {
  readonly type: 'ram' | 'memfd' | 'file' | 'devmem';
  readonly id: string;
  readonly size?: Size | undefined;
  readonly memPath?: string | undefined;
  readonly offset?: Size | undefined;
  readonly align?: Size | undefined;
  readonly readonly?: boolean | undefined;
  readonly base?: Size | undefined;
  readonly hugetlb?: boolean | undefined;
  readonly hugetlbsize?: Size | undefined;
  readonly seal?: boolean | undefined;
  readonly share?: boolean | undefined;
  readonly prealloc?: boolean | undefined;
  readonly preallocThreads?: number | undefined;
  readonly reserve?: boolean | undefined;
  readonly thp?: boolean | undefined;
  readonly merge?: boolean | undefined;
  readonly dump?: boolean | undefined;
  readonly policy?: 'default' | 'bind' | 'preferred' | 'interleave' | undefined;
  readonly hostNodes?: readonly number[] | undefined;
}

/** A NUMA node; they are counted from 0 in the order they come. */
export interface NumaNodeSpec {
  readonly type: 'node';
  /** Numbers of its vCPUs, or a range as `'0-3'`. Default: all are dealt out evenly. */
  readonly cpus?: readonly number[] | number | string | undefined;
  /** Its boot memory. Default: all of it is split evenly. */
  readonly memory?: Size | undefined;
  /** Id of one of `memoryBackends`. */
  readonly memdev?: string | undefined;
}

/** How far two NUMA nodes are from each other: 11 to 255; 20 when nothing is said. */
export interface NumaDistanceSpec {
  readonly type: 'dist';
  readonly src: number;
  readonly dst: number;
  readonly val: number;
}

/** What follows when the guest touches protected memory, by how it does. */
export interface ViolationSpec {
  /** Default: it sees zeros, and goes on. */
  readonly read?: 'zeros' | 'stop' | 'reset' | 'kill' | undefined;
  /** Default: stop. */
  readonly write?: 'stop' | 'reset' | 'kill' | undefined;
}

/** What a machine is made of: the options of `tsvmm run`, with its defaults and its checks. */
export interface VmOptions {
  /** Path of a bzImage, or of an ELF file with a PVH entry. */
  readonly kernel: string;
  /** Path. */
  readonly initrd?: string | undefined;
  /** Kernel command line. */
  readonly append?: string | undefined;
  /** Boot memory. Default: 1G, or what the NUMA nodes have. */
  readonly memory?:
    | Size
    | { readonly memdev: string; readonly size?: Size | undefined }
    | undefined;
  /** Default: 1. */
  readonly cpus?: number | string | undefined;
  /** NUMA nodes and distances, each as keys, or as text as on the command line. */
  readonly numa?: readonly (NumaNodeSpec | NumaDistanceSpec | string)[] | undefined;
  /** Each as keys, or as text as on the command line. */
  readonly virtioMem?: readonly (VirtioMemSpec | string)[] | undefined;
  /** Each as keys, or as text as on the command line. */
  readonly memoryBackends?: readonly (MemoryBackendSpec | string)[] | undefined;
  /** Whether there is a serial port. Default: true. */
  readonly serial?: boolean | undefined;
  /** Whether the guest may reboot; otherwise that ends the machine. Default: true. */
  readonly reboot?: boolean | undefined;
  /**
   * What follows when the guest touches protected memory, also as text as on the command line. Default: its
   * reads see zeros, all else stops it.
   */
  readonly onViolation?: string | ViolationSpec | undefined;
  /** What the guest's clocks do while the machine is paused. Default: stop. */
  readonly pauseClock?: 'stop' | 'run' | undefined;
  /**
   * Which of the host's CPUs its threads run on, as on the command line: `auto`, `off`, or
   * `loop=CPUS,vcpus=CPUS,pin=on`. Default: off, since the loop's thread is yours as well.
   */
  readonly cpuAffinity?: string | undefined;
  /** What monitors call the machine. Default: `tsvmm`. */
  readonly name?: string | undefined;
  /** The same, for programs. Default: all zeros. */
  readonly uuid?: string | undefined;
  /** Where programs come in: `unix:PATH`, `tcp:ADDR:PORT`, `tcp:PORT`. Default: nowhere. */
  readonly qmp?: string | readonly string[] | undefined;
  /** Least time between two events of QMP of a kind about one memory device. Default: 1000. */
  readonly qmpEventIntervalMs?: number | undefined;
  /** Where people come in: `unix:PATH`, `tcp:ADDR:PORT`, `tcp:PORT`. Default: nowhere. */
  readonly monitor?: string | undefined;
  /** What its prompt has in parentheses; with `qemu`, command lines are echoed as well. Default: `tsvmm`. */
  readonly monitorPrompt?: string | undefined;
}
