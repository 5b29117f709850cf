import { HostError } from '../errors.ts';
import { addon, type NativeEventFd, type NativeMappingShare } from '../kvm/addon.ts';
import { log } from '../log.ts';
import { openAnonymous } from '../memory/backing/anonymous.ts';
import { plainSpec, reservesOnMap, type BackingSpec } from '../memory/backing/spec.ts';
import type { Backing } from '../memory/backing.ts';
import type { MappingBudget } from '../memory/mapping-budget.ts';
import { formatSize, hex, PAGE_SIZE } from '../units.ts';
import type { MachineConfig } from './config/machine-config.ts';

/** Host memory with a name. */
export interface MemoryBackend {
  readonly id: string;
  readonly spec: BackingSpec;
  readonly backing: Backing;
  /** Whether the host has set it all aside. */
  readonly reserved: boolean;
  /** Who has it, as `boot memory` or a device's id; absent: nobody. */
  readonly user: string | undefined;
  /** Nobody asked for it by name: it was made for want of one. */
  readonly isMade: boolean;
}

export interface MemoryParts {
  /** Bytes. */
  readonly size?: number;
  readonly access?: 'none' | 'read-write';
}

/** Path of a backend's object. */
export const backendPath = (id: string): string => `/objects/${id}`;

/** Backends that memory devices use: mostly empty, so nothing is reserved for them by default. */
function asUsed(given: BackingSpec, { virtioMem }: MachineConfig): BackingSpec {
  const user = virtioMem.find(({ memdev }) => memdev === given.id);
  return { ...given, sparse: user !== undefined, partSize: user?.blockSize };
}

/** The memory backends of a machine: those that were asked for, and those made for want of one. */
export class MemoryBackends {
  readonly #backends: MemoryBackend[] = [];
  /** Ids of those that are mapped and nothing more. */
  readonly #unprepared: string[] = [];
  readonly #lost: NativeEventFd = addon.createEventFd();
  #mappings: NativeMappingShare | undefined;

  /** Maps them; what they hold stays until `prepare`. @throws ConfigError, HostError; nothing is left */
  static async open(config: MachineConfig): Promise<MemoryBackends> {
    const backends = new MemoryBackends();
    try {
      if (config.memoryBackends.length > 0) await backends.#openAll(config);
      return backends;
    } catch (error) {
      backends.close();
      throw error;
    }
  }

  /** In the order they were made. */
  get all(): readonly MemoryBackend[] {
    return this.#backends;
  }

  /** For borders within their memory; they go back with it. */
  get mappings(): MappingBudget {
    this.#mappings ??= addon.shareMappings();
    return this.#mappings;
  }

  get(id: string): MemoryBackend {
    const found = this.#backends.find((it) => it.id === id);
    if (found === undefined) throw new HostError('NO_BACKEND', `there is no memory backend ${id}`);
    return found;
  }

  /** Gives a backend to its only user. @throws HostError when it has one */
  take(id: string, user: string): MemoryBackend {
    const found = this.get(id);
    if (found.user !== undefined) {
      throw new HostError(
        'BACKEND_IN_USE',
        `memory backend ${id} is used by ${found.user} already`,
      );
    }
    const taken = { ...found, user };
    this.#backends[this.#backends.indexOf(found)] = taken;
    return taken;
  }

  /**
   * Makes plain memory for somebody who named none.
   *
   * @param prefix  of its id: `mem` of `mem0`
   * @param parts  for whoever hands it out in parts: their size, and `none` where they are made
   *     accessible one by one
   */
  make(prefix: string, size: number, user: string, parts: MemoryParts = {}): MemoryBackend {
    let number = 0;
    while (this.#backends.some(({ id }) => id === `${prefix}${number}`)) number += 1;
    const id = `${prefix}${number}`;
    const spec = plainSpec(id, size, parts.size);
    const backing = openAnonymous(spec, parts.access);
    return this.#add({ id, spec, backing, reserved: false, user, isMade: true });
  }

  /** Calls back when memory turns out to be lost: touched by this process, or by what is watched. */
  onLost(callback: (error: HostError) => void): void {
    this.#lost.watch(() => {
      const error = this.lost();
      if (error !== undefined) callback(error);
    });
    for (const { backing, user } of this.#backends) {
      if (user === undefined) continue;
      backing.onLoss(() => {
        const error = this.trouble();
        if (error !== undefined) callback(error);
      });
    }
  }

  /** What memory has been lost so far, if any. */
  lost(): HostError | undefined {
    for (const { id, backing, user } of this.#backends) {
      const offset = backing.mapping.faultOffset;
      if (offset === undefined) continue;
      const why = backing.trouble() ?? 'the host lost it';
      const whose = user === undefined ? '' : `, ${user}`;
      const message = `memory backend ${id}${whose}: there is no memory at offset ${hex(offset)}: ${why}`;
      return new HostError('MEMORY_LOST', message);
    }
    return undefined;
  }

  /** Why the host may have failed to give memory to a vCPU, which says nothing of the address. */
  trouble(): HostError | undefined {
    for (const { id, backing, user } of this.#backends) {
      const why = user === undefined ? undefined : backing.trouble();
      if (why === undefined) continue;
      const message = `memory backend ${id}, ${user ?? ''}: the host has no memory for the guest: ${why}`;
      return new HostError('MEMORY_LOST', message);
    }
    return undefined;
  }

  /** Unmaps everything, and undoes what was done to files before `prepare`. Idempotent. */
  close(): void {
    for (const { backing } of this.#backends) backing.close();
    this.#mappings?.close();
    this.#lost.close();
  }

  /** Whether there is anything to prepare, which may change files. */
  get needsPreparation(): boolean {
    return this.#unprepared.length > 0;
  }

  /**
   * Empties what devices hand out, sets memory aside and allocates what has `prealloc=on`. Files of
   * the user's are changed from here on, so everything that can be refused has been.
   *
   * @param signal  gives up, soon
   * @throws (rejects with) HostError for what the host cannot give, or the signal's reason
   */
  async prepare(config: MachineConfig, signal: AbortSignal): Promise<void> {
    for (const id of this.#unprepared.splice(0)) {
      await prepareBackend(this.get(id), isBootMemory(config, id), signal);
    }
    for (const { backing } of this.#backends) backing.keep();
  }

  async #openAll(config: MachineConfig): Promise<void> {
    const { openBacking } = await import('../memory/backing/open.ts');
    for (const given of config.memoryBackends) {
      const spec = asUsed(given, config);
      const backing = openBacking(spec);
      const byMap = isReservedByMap(spec, backing);
      const reserved = byMap || (spec.reserve ?? isReservedFile(spec));
      this.#add({ id: spec.id, spec, backing, reserved, user: undefined, isMade: false });
      if (spec.sparse) backing.checkDiscards();
      this.#unprepared.push(spec.id);
    }
  }

  /** Boot memory that the host has not set aside and may run out of, while others do not. */
  get unsecured(): readonly MemoryBackend[] {
    return this.#backends.filter((it) => it.user !== undefined && canStarve(it));
  }

  #add(backend: MemoryBackend): MemoryBackend {
    this.#backends.push(backend);
    backend.backing.mapping.watchFaults(this.#lost);
    return backend;
  }
}

async function prepareBackend(
  backend: MemoryBackend,
  isBoot: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { spec, backing, reserved } = backend;
  signal.throwIfAborted();
  if (spec.sparse) warnOfLoss(spec, await backing.startEmpty(signal));
  if (reserved && !isReservedByMap(spec, backing)) await backing.secure(0, backing.size, signal);
  if (canStarve(backend) && isBoot) warnOfHoles(spec);
  if (spec.prealloc) await backing.populate(0, backing.size, signal);
}

/** Memory of a device begins empty, which not everybody expects of a file. */
function warnOfLoss(spec: BackingSpec, bytes: number): void {
  if (bytes === 0) return;
  const { id } = spec;
  const path = spec.type === 'file' ? spec.path : undefined;
  const message = `the file held ${formatSize(bytes)} of data, which is dropped: memory of a device starts empty`;
  log('memory').warn({ id, path }, message);
}

/** Whether the guest can touch what the host does not have, although the host has other memory. */
function canStarve({ spec, backing, reserved }: MemoryBackend): boolean {
  if (spec.sparse || spec.prealloc || reserved || !backing.populateCanFail) return false;
  return spec.type === 'file' || (spec.type === 'memfd' && backing.pageSize > PAGE_SIZE);
}

/** Starvation is found out while the machine runs (starvation.ts), and is its end. */
function warnOfHoles({ id, reserve }: BackingSpec): void {
  const message = 'boot memory is not set aside: if the host runs out of it, the machine ends';
  log('memory').warn({ id, reserve }, message);
}

function isBootMemory({ memdev, numa }: MachineConfig, id: string): boolean {
  return memdev === id || (numa?.nodes.some((node) => node.memdev === id) ?? false);
}

/** Boot memory on a file must not meet a full file system half-way; other kinds run out as a host does. */
function isReservedFile(spec: BackingSpec): boolean {
  return spec.type === 'file' && spec.share && !spec.sparse;
}

/** Whether mapping it set it aside: of a file that is shared, only huge pages are. */
function isReservedByMap(spec: BackingSpec, backing: Backing): boolean {
  if (!reservesOnMap(spec) || !backing.populateCanFail) return false;
  return spec.type === 'ram' || !spec.share || backing.pageSize > PAGE_SIZE;
}
