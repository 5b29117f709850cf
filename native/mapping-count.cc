#include "mapping-count.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <span>

#include "unique-fd.h"

namespace tsvmm {
namespace {

using Clock = std::chrono::steady_clock;

/// What the kernel allows where nobody has changed it.
constexpr int64_t kUsualLimit = 65'530;
/// Counting takes at most one part in so many of a processor, whatever the guests do.
constexpr int kRest = 10;

std::atomic<int64_t> limit{kUsualLimit};
/// In use by guest memory.
std::atomic<int64_t> taken{0};
/// How many of them may be: what the limit leaves beside the reserve and the rest of the process.
std::atomic<int64_t> allowed{0};
/// `taken` at the last count, and how far from it the next is due.
std::atomic<int64_t> counted_at{0};
std::atomic<int64_t> step{1};
std::atomic<bool> has_counted{false};
std::atomic<bool> is_counting{false};
std::atomic<Clock::rep> next_count{0};

/// Hands over a file in pieces. @returns whether all of it could be read
template <typename Visit>
bool ReadFile(const char* path, Visit visit) {
  const UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return false;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t length = read(fd.get(), buffer.data(), buffer.size());
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) return length == 0;
    visit(std::span(buffer.data(), static_cast<size_t>(length)));
  }
}

std::optional<int64_t> MappingsInUse() {
  int64_t lines = 0;
  const bool whole = ReadFile("/proc/self/maps", [&lines](std::span<const char> text) {
    lines += std::count(text.begin(), text.end(), '\n');
  });
  return whole ? std::optional(lines) : std::nullopt;
}

}  // namespace

void ReadMappingLimit() {
  int64_t number = 0;
  ReadFile("/proc/sys/vm/max_map_count", [&number](std::span<const char> text) {
    for (const char digit : text) {
      if (digit >= '0' && digit <= '9') number = number * 10 + (digit - '0');
    }
  });
  limit.store(number > 0 ? number : kUsualLimit);
}

bool TakeMappings(int64_t count) {
  int64_t before = taken.load();
  do {
    if (count > 0 && before + count > allowed.load()) return false;
  } while (!taken.compare_exchange_weak(before, before + count));
  return true;
}

void ForceMappings(int64_t count) { taken.fetch_add(count); }

int64_t MappingsLeft() { return allowed.load() - taken.load(); }

bool WantsCount(bool refused) {
  if (!refused && std::abs(taken.load() - counted_at.load()) < step.load()) return false;
  if (Clock::now().time_since_epoch().count() < next_count.load()) return false;
  return !is_counting.exchange(true);
}

bool WantsFirstCount() { return !has_counted.load() && !is_counting.exchange(true); }

void CountMappings() {
  const Clock::time_point start = Clock::now();
  const int64_t most = limit.load();
  const int64_t reserve = (most + 3) / 4;
  const int64_t before = taken.load();
  const std::optional<int64_t> in_use = MappingsInUse();
  const int64_t after = taken.load();
  // Whoever takes mappings makes them a moment later: the fewer of ours, the more are others'.
  const int64_t others = in_use.value_or(0) - std::min(before, after);
  // Without a new count the old one stands.
  if (in_use || !has_counted.load()) allowed.store(most - reserve - others);
  step.store(std::max<int64_t>(1, reserve / 16));
  counted_at.store(after);
  const Clock::time_point end = Clock::now();
  next_count.store((end + kRest * (end - start)).time_since_epoch().count());
  has_counted.store(true);
  is_counting.store(false);
}

void ForgoCount() { is_counting.store(false); }

}  // namespace tsvmm
