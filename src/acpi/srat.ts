import { bareNodes, initiator } from './bare-nodes.ts';
import type { AcpiConfig, AcpiNuma, NodeMemory } from './config.ts';
import { type Field, u16, u32, u64, u8, zeros } from './fields.ts';
import { systemTable } from './system-table.ts';

/** Of processors and of memory alike. */
const ENABLED = 1;
const HOT_PLUGGABLE = 1 << 1;
/** The table's first field, which once was its revision. */
const TABLE_REVISION = 1;
/** From this id on the one-byte field of a local APIC structure does not do. */
const FIRST_X2APIC = 255;

/** ACPI 6.5 §5.2.16.1 and §5.2.16.3. The node's bytes lie apart: the upper three came later. */
function processor(apicId: number, node: number): Field {
  const clockDomain = u32(0);
  if (apicId >= FIRST_X2APIC) {
    const fields = [u8(2), u8(24), u16(0), u32(node), u32(apicId), u32(ENABLED), clockDomain];
    return [...fields, zeros(4)].flat();
  }
  const [low = 0, ...high] = u32(node);
  const sapicEid = u8(0);
  return [u8(0), u8(16), [low], u8(apicId), u32(ENABLED), sapicEid, high, clockDomain].flat();
}

/** ACPI 6.5 §5.2.16.2. */
function memory({ node, base, size, hotPluggable }: NodeMemory): Field {
  const flags = ENABLED | (hotPluggable ? HOT_PLUGGABLE : 0);
  const range = [u64(base), u64(size)];
  return [u8(1), u8(40), u32(node), u16(0), ...range, zeros(4), u32(flags), zeros(8)].flat();
}

/**
 * Which processors and which memory belong to which node. Memory that the guest may get later is
 * hot-pluggable: the guest must not count on it at boot. By node, so that a guest that counts nodes as
 * it meets them counts as we do.
 *
 * @see ACPI 6.5 §5.2.16
 */
export function buildSrat({ apicIds }: AcpiConfig, numa: AcpiNuma): Uint8Array {
  const processors = apicIds.map((id, index) => {
    const node = numa.cpuNodes[index] ?? 0;
    return { node, field: processor(id, node) };
  });
  const initiators = bareNodes(numa).map((node) => ({ node, field: initiator(node) }));
  const byNode = (a: { readonly node: number }, b: { readonly node: number }): number =>
    a.node - b.node;
  return systemTable('SRAT', 3, [
    u32(TABLE_REVISION),
    zeros(8),
    ...[...processors, ...initiators].sort(byNode).map(({ field }) => field),
    ...[...numa.memory].sort(byNode).map(memory),
  ]);
}
