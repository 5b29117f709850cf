#include "io-table.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace tsvmm {
namespace {

/// The first range whose base is above `addr`.
template <typename Ranges>
auto After(Ranges& ranges, uint64_t addr) {
  return std::upper_bound(ranges.begin(), ranges.end(), addr,
                          [](uint64_t value, const IoRange& range) { return value < range.base; });
}

/// Ranges start at multiples of 8, so that aligned accesses stay aligned.
size_t ShadowSize(uint64_t size) { return (size + 7) & ~uint64_t{7}; }

}  // namespace

IoTable::Added IoTable::Add(IoSpace space, IoRange* range) {
  const std::unique_lock lock(mutex_);
  auto& list = space == IoSpace::kPort ? ports_ : mmio_;
  const auto next = After(list, range->base);
  if (next != list.end() && next->base - range->base < range->size) return Added::kOverlap;
  if (next != list.begin()) {
    const IoRange& previous = *std::prev(next);
    if (range->base - previous.base < previous.size) return Added::kOverlap;
  }
  range->shadow_offset = 0;
  if (range->read == IoRead::kShadow) {
    if (range->size > kShadowBytes) return Added::kShadowFull;
    const size_t offset = FindShadow(ShadowSize(range->size));
    if (offset == kShadowBytes) return Added::kShadowFull;
    range->shadow_offset = static_cast<uint32_t>(offset);
  }
  list.insert(next, *range);
  return Added::kOk;
}

bool IoTable::Remove(IoSpace space, uint64_t base) {
  const std::unique_lock lock(mutex_);
  auto& list = space == IoSpace::kPort ? ports_ : mmio_;
  const auto found = After(list, base);
  if (found == list.begin() || std::prev(found)->base != base) return false;
  list.erase(std::prev(found));
  return true;
}

std::optional<IoRange> IoTable::Find(IoSpace space, uint64_t addr, uint32_t size) const {
  const std::shared_lock lock(mutex_);
  const auto& list = ranges(space);
  const auto next = After(list, addr);
  if (next == list.begin()) return std::nullopt;
  const IoRange& range = *std::prev(next);
  const uint64_t offset = addr - range.base;
  if (offset >= range.size || size > range.size - offset) return std::nullopt;
  return range;
}

size_t IoTable::FindShadow(size_t size) const {
  std::vector<std::pair<size_t, size_t>> taken;
  for (const auto* list : {&ports_, &mmio_}) {
    for (const IoRange& range : *list) {
      if (range.read != IoRead::kShadow) continue;
      taken.emplace_back(range.shadow_offset, ShadowSize(range.size));
    }
  }
  std::sort(taken.begin(), taken.end());
  size_t free = 0;
  for (const auto& [offset, length] : taken) {
    if (offset - free >= size) break;
    free = offset + length;
  }
  return kShadowBytes - free >= size ? free : kShadowBytes;
}

}  // namespace tsvmm
