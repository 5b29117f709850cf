import { MIB, PAGE_SIZE } from '../../../../units.ts';
import { VIRTIO_STATUS_DEVICE_NEEDS_RESET } from '../../../../virtio/spec.ts';
import type { BlockModel } from './block-model.ts';
import type { ModelRig } from './model-rig.ts';

/** @throws Error that shows both, when they differ */
export function same(what: string, is: unknown, shouldBe: unknown): void {
  const [left, right] = [JSON.stringify(is), JSON.stringify(shouldBe)];
  if (left !== right) throw new Error(`${what}: is ${left}, should be ${right}`);
}

/** Offsets in struct virtio_mem_config. */
const CONFIG = { usable: 32, plugged: 40, requested: 48 };

/** What the host has refused to take back, or to protect, and may be there for longer. */
export interface Leniency {
  /** Blocks may be accessible, and hold memory, that are not plugged. */
  leaky: boolean;
  /** There may be memslots of windows in which nothing is plugged. */
  stale: boolean;
  /** Some blocks may be taken for accessible that are not. */
  doubtful: boolean;
}

/**
 * Compares everything that can be seen of a device, by the guest or by the host, with the model.
 *
 * @throws Error that says what differs
 */
export async function compareAll(
  rig: ModelRig,
  model: BlockModel,
  leniency: Leniency,
): Promise<void> {
  const { driver, device, host, shape } = rig;
  same('needs reset', driver.core.status & VIRTIO_STATUS_DEVICE_NEEDS_RESET, 0);
  same('usable_region_size', rig.config(CONFIG.usable), model.usable);
  same('plugged_size', rig.config(CONFIG.plugged), model.pluggedSize);
  same('requested_size', rig.config(CONFIG.requested), model.requested);
  same('sizes', device.sizes, {
    requestedSize: model.requested,
    pluggedSize: model.pluggedSize,
    usableSize: model.usable,
  });
  same('converged', device.convergence.kind === 'converged', model.requested === model.pluggedSize);
  compareMemslots(rig, model, leniency.stale);
  compareDiscards(rig, model);
  compareProtection(rig, model, leniency);
  same('calls of the host during others', host.overlaps, []);
  // Before anybody reads what was set aside, which would allocate it.
  if (shape.memory === 'memfd') await compareReserved(rig, model);
  compareContent(rig, model);
  if (shape.memory === 'zeroing') return;
  if (!leniency.leaky) await compareResident(rig, model);
}

type Slot = readonly [gpa: number, size: number];

function compareMemslots(
  { slots, table, shape }: ModelRig,
  model: BlockModel,
  stale: boolean,
): void {
  const rule = model.memslots();
  const list = [...slots.slots.values()].sort((a, b) => a.gpa - b.gpa);
  const there = list.map(({ gpa, size }): Slot => [gpa, size]);
  const covers = ([at, size]: Slot, [gpa, length]: Slot): boolean =>
    at <= gpa && gpa + length <= at + size;
  const needed = there.filter((slot) => !stale || rule.some((window) => covers(slot, window)));
  if (shape.sharesMemslots) {
    const missing = rule.find((window) => !there.some((slot) => covers(slot, window)));
    same('a window without a memslot', missing, undefined);
    const useless = needed.find((slot) => !rule.some((window) => covers(slot, window)));
    same('a memslot without anything plugged', useless, undefined);
  } else {
    same('memslots', needed, rule);
  }
  same(
    'memslot table',
    table.list().map(({ gpa, size }) => [gpa, size]),
    there,
  );
}

function compareDiscards({ memory, audience, shape }: ModelRig, model: BlockModel): void {
  const { blockSize } = shape;
  const runs = (plugged: boolean): [number, number][] => {
    const found: [number, number][] = [];
    const visit = (offset: number, length: number): void =>
      void found.push([offset / blockSize, length / blockSize]);
    if (plugged) memory.replayPopulated(0, model.regionSize, visit);
    else memory.replayDiscarded(0, model.regionSize, visit);
    return found;
  };
  same('populated', runs(true), model.runs(true));
  same('discarded', runs(false), model.runs(false));
  for (const [block, plugged] of model.plugged.entries()) {
    const at = block * blockSize;
    same(`block ${block} is populated`, memory.isPopulated(at, blockSize), plugged);
    const neighbours = model.plugged[block + 1] === true && plugged;
    if (block + 1 < shape.blocks) {
      same(`byte ${at} on`, memory.isPopulated(at + blockSize - 1, 2), neighbours);
    }
  }
  for (const [index, listener] of audience.slice(0, 2).entries()) {
    same(`what listener ${index} heard`, listener.populated, model.plugged);
  }
}

function compareProtection(rig: ModelRig, model: BlockModel, { leaky, doubtful }: Leniency): void {
  const { host, memory, budget, shape } = rig;
  same('is protected', memory.isProtected, shape.protectUnplugged);
  const open = host.accessible;
  if (budget === undefined) return;
  const out = model.plugged.findIndex((plugged, block) => plugged && open[block] !== true);
  if (out >= 0) throw new Error(`block ${out} is plugged and inaccessible`);
  const extra = open.filter((is, block) => is && model.plugged[block] !== true).length;
  if (doubtful) {
    if (memory.unprotectedBlocks < extra) throw new Error(`${extra} blocks are not counted`);
    return;
  }
  same('unprotected blocks', memory.unprotectedBlocks, extra);
  if (!leaky) same('accessible', open, model.plugged);
  const borders = open.filter((is, block) => block > 0 && is !== open[block - 1]).length;
  same('mappings left', budget.left, shape.mappings - borders);
}

function compareContent({ host, shape }: ModelRig, model: BlockModel): void {
  const bytes = new Uint8Array(4);
  const view = new DataView(bytes.buffer);
  for (const [block, value] of model.content.entries()) {
    if (model.plugged[block] !== true) continue;
    for (const at of [block * shape.blockSize, (block + 1) * shape.blockSize - 4]) {
      host.mapping.read(at, bytes);
      same(`content of block ${block}`, view.getUint32(0, true), value);
    }
  }
}

/** More would take long to look through, page by page. */
const LOOK_BYTES = 4 * MIB;

/** What was to be set aside is there: the first page of each block stands for the rest. */
async function compareReserved({ host, shape }: ModelRig, model: BlockModel): Promise<void> {
  for (const [first] of model.runs(true).slice(0, 3)) {
    const at = first * shape.blockSize;
    same(`bytes set aside at ${at}`, await host.mapping.residentBytes(at, PAGE_SIZE), PAGE_SIZE);
  }
}

/** Unplugged memory is back at the host: that at both ends of each hole stands for the rest. */
async function compareResident(rig: ModelRig, model: BlockModel): Promise<void> {
  const { host, shape } = rig;
  for (const [first, count] of model.runs(false).slice(0, 3)) {
    const [start, end] = [first * shape.blockSize, (first + count) * shape.blockSize];
    const length = Math.min(end - start, LOOK_BYTES);
    for (const at of [start, end - length]) {
      same(`bytes resident from ${at} on`, await host.mapping.residentBytes(at, length), 0);
    }
  }
}
