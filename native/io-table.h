#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <vector>

namespace tsvmm {

enum class IoSpace : uint8_t { kPort, kMmio };
enum class IoRead : uint8_t { kSync, kShadow, kOnes };
enum class IoWrite : uint8_t { kSync, kPost, kDrop };

struct IoRange {
  uint64_t base;
  uint64_t size;
  IoRead read;
  IoWrite write;
  uint32_t tag;
  /// Of its bytes in the shadow, when `read` is kShadow.
  uint32_t shadow_offset;
};

/// Which ranges exist. Changed by the JavaScript thread, looked up by every vCPU thread.
class IoTable {
 public:
  /// Bytes that answer shadow reads.
  static constexpr size_t kShadowBytes = 65536;

  enum class Added { kOk, kOverlap, kShadowFull };

  /// Fills in `shadow_offset`.
  Added Add(IoSpace space, IoRange* range);
  /// @returns whether there was a range with this base
  bool Remove(IoSpace space, uint64_t base);
  /// The range that holds the whole access.
  std::optional<IoRange> Find(IoSpace space, uint64_t addr, uint32_t size) const;

 private:
  const std::vector<IoRange>& ranges(IoSpace space) const {
    return space == IoSpace::kPort ? ports_ : mmio_;
  }
  /// First fit. @returns kShadowBytes when there is no room
  size_t FindShadow(size_t size) const;

  mutable std::shared_mutex mutex_;
  /// Sorted by base.
  std::vector<IoRange> ports_;
  std::vector<IoRange> mmio_;
};

}  // namespace tsvmm
