import { GIB, MIB, PAGE_SIZE } from '../units.ts';

/** What decides how much KVM sets aside for a memslot. */
export interface MetadataModel {
  /** The TDP MMU allocates reverse maps as pages are mapped, the shadow MMU with the slot. */
  readonly tdpMmu: boolean;
  /** System-management mode gives the guest a second address space: everything twice. */
  readonly smm: boolean;
}

const REVERSE_MAP_BYTES = 8;
const LARGE_PAGE_INFO_BYTES = 4;
const GFN_TRACK_BYTES = 2;

/**
 * Host memory that KVM allocates for a memslot's metadata when it is made, in bytes: a reverse map
 * per 4 KiB, 2 MiB and 1 GiB page, large-page info for the latter two, a tracking counter per page.
 */
export function memslotMetadataBytes(sizeBytes: number, model: MetadataModel): number {
  const pages = Math.ceil(sizeBytes / PAGE_SIZE);
  const large = Math.ceil(sizeBytes / (2 * MIB)) + Math.ceil(sizeBytes / GIB);
  const reverseMaps = model.tdpMmu ? 0 : (pages + large) * REVERSE_MAP_BYTES;
  const total = reverseMaps + large * LARGE_PAGE_INFO_BYTES + pages * GFN_TRACK_BYTES;
  return model.smm ? 2 * total : total;
}
