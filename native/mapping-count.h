#pragma once

#include <cstdint>

/*
 * Mappings of this process that may be spent on borders within guest memory: one count for every
 * machine, in whatever thread, since the addon is never unloaded. The kernel stops at
 * vm.max_map_count, and a process that has none left cannot even grow its heap: a quarter of them
 * stays for the rest of it.
 */
namespace tsvmm {

/// Looks what the kernel allows: each machine that is made has the word of its day.
void ReadMappingLimit();
/// Counts `count` mappings as in use. @returns false, and counts nothing, when there are fewer left
bool TakeMappings(int64_t count);
/// As TakeMappings, even where none are left; gives back when negative.
void ForceMappings(int64_t count);
/// Below 0 when the rest of the process has grown into them.
int64_t MappingsLeft();

/// Whether the rest of the process should be counted again. Each true is followed by one
/// CountMappings() or ForgoCount().
bool WantsCount(bool refused);
/// Whether nobody has counted yet. Follow as WantsCount().
bool WantsFirstCount();
/// Counts all mappings of the process: 0.7 us for each, so not where anybody waits.
void CountMappings();
void ForgoCount();

}  // namespace tsvmm
