import type { NativeMappingShare } from '../kvm/addon.ts';

/**
 * Mappings that the process may spend on borders between accessible and inaccessible memory: the
 * kernel keeps one per range of equal protection, and stops at vm.max_map_count.
 */
export type MappingBudget = Pick<NativeMappingShare, 'left' | 'take' | 'force'>;
