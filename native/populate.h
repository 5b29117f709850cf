#pragma once

#include <cstdint>
#include <memory>

#include "pool-task.h"

namespace tsvmm {

/// Allocates every page of a range for writing, on threads of its own; content stays. An access
/// that the kernel cannot serve is an error, never a signal. ECANCELED when the block is closed
/// meanwhile.
class PopulateTask final : public BlockTask {
 public:
  PopulateTask(std::shared_ptr<MemoryBlock> block, uint64_t offset, uint64_t length,
               uint32_t threads);

 private:
  int Work() override;

  const uint64_t offset_;
  const uint64_t length_;
  const uint32_t threads_;
};

/// Fills a range with zeros: what is left for memory that cannot be given back.
class ZeroTask final : public BlockTask {
 public:
  ZeroTask(std::shared_ptr<MemoryBlock> block, uint64_t offset, uint64_t length);

 private:
  int Work() override;

  const uint64_t offset_;
  const uint64_t length_;
};

}  // namespace tsvmm
