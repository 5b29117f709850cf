#include "mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <utility>

#include "args.h"
#include "pool-task.h"
#include "shared-block.h"

namespace tsvmm {
namespace {

/// Node's limit for one external ArrayBuffer, which it makes as a Buffer.
constexpr uint64_t kMaxView = uint64_t{1} << 32;

MemoryAccess AccessOf(const Napi::Value& value) {
  const std::string text = StringOf(value, "access");
  if (text == "none") return MemoryAccess::kNone;
  if (text == "read") return MemoryAccess::kRead;
  if (text == "read-write") return MemoryAccess::kReadWrite;
  throw Napi::TypeError::New(value.Env(), "access: expected none, read or read-write");
}

/// Advice that stays with the mapping, and is not about what is in it.
bool IsAttribute(int advice) {
  switch (advice) {
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
      return true;
    default:
      return false;
  }
}

struct Range {
  uint64_t offset;
  uint64_t length;
};

/// The first two arguments; checked against the size later, when no argument can run code.
Range RangeOf(const Napi::CallbackInfo& info) {
  return {UintOf(info[0], "offset", kMaxSafe), UintOf(info[1], "length", kMaxSafe)};
}

void CheckAccess(Napi::Env env, const MemoryBlock& block, Range range, MemoryAccess access) {
  CheckRange(env, range.offset, range.length, block.size());
  if (range.length == 0 || block.Allows(range.offset, range.length, access)) return;
  throw Napi::RangeError::New(env, Format("offset 0x%llx and length 0x%llx: part of it is not %s",
                                          static_cast<unsigned long long>(range.offset),
                                          static_cast<unsigned long long>(range.length),
                                          access == MemoryAccess::kRead ? "readable" : "writable"));
}

MapRequest RequestOf(const Napi::Object& options) {
  const Napi::Env env = options.Env();
  MapRequest request = {};
  request.size = UintField(options, "size", uint64_t{1} << 47);
  request.alignment = UintField(options, "alignment", uint64_t{1} << 40);
  request.shared = BoolField(options, "shared");
  request.no_reserve = BoolField(options, "noReserve");
  request.access = AccessOf(options.Get("access"));
  const Napi::Value fd = options.Get("fd");
  request.fd = fd.IsUndefined() ? -1 : static_cast<int>(UintOf(fd, "fd", kMaxInt));
  const Napi::Value offset = options.Get("fdOffset");
  request.fd_offset = offset.IsUndefined() ? 0 : UintOf(offset, "fdOffset", kMaxSafe);
  const Napi::Value page_size = options.Get("pageSize");
  request.page_size =
      page_size.IsUndefined() ? 0 : UintOf(page_size, "pageSize", uint64_t{1} << 40);

  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  if (request.size == 0 || request.size % page != 0) {
    throw Napi::RangeError::New(env, Format("size: 0x%llx is not a positive multiple of 0x%llx",
                                            static_cast<unsigned long long>(request.size),
                                            static_cast<unsigned long long>(page)));
  }
  if (!std::has_single_bit(request.alignment)) {
    throw Napi::RangeError::New(env, Format("alignment: 0x%llx is not a power of two",
                                            static_cast<unsigned long long>(request.alignment)));
  }
  if (request.page_size != 0 && !std::has_single_bit(request.page_size)) {
    throw Napi::RangeError::New(env, Format("pageSize: 0x%llx is not a power of two",
                                            static_cast<unsigned long long>(request.page_size)));
  }
  return request;
}

std::string MapArgs(const MapRequest& request) {
  return Format("size=0x%llx, alignment=0x%llx, shared=%d, fd=%d, offset=0x%llx",
                static_cast<unsigned long long>(request.size),
                static_cast<unsigned long long>(request.alignment), request.shared ? 1 : 0,
                request.fd, static_cast<unsigned long long>(request.fd_offset));
}

}  // namespace

/// One ArrayBuffer on the memory, which keeps this.
struct Mapping::View {
  View(std::shared_ptr<MemoryBlock> memory, std::shared_ptr<std::list<View*>> views)
      : block(std::move(memory)), all(std::move(views)), position(all->insert(all->end(), this)) {}
  ~View() { all->erase(position); }
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  const std::shared_ptr<MemoryBlock> block;
  const std::shared_ptr<std::list<View*>> all;
  const std::list<View*>::iterator position;
  Napi::Reference<Napi::ArrayBuffer> buffer;
};

Mapping::Mapping(const Napi::CallbackInfo& info)
    : Handle(info),
      size_((*PeekInit())->size()),
      block_(TakeInit()),
      views_(std::make_shared<std::list<View*>>()) {}

Napi::Function Mapping::Define(Napi::Env env) {
  return DefineClass(
      env, kName,
      {InstanceAccessor<&Mapping::Size>("size"), InstanceMethod<&Mapping::CreateView>("view"),
       InstanceMethod<&Mapping::Read>("read"), InstanceMethod<&Mapping::Write>("write"),
       InstanceMethod<&Mapping::Protect>("protect"),
       InstanceMethod<&Mapping::ShowZeros>("showZeros"),
       InstanceMethod<&Mapping::HideZeros>("hideZeros"), InstanceMethod<&Mapping::Advise>("advise"),
       InstanceMethod<&Mapping::AdviseAsync>("adviseAsync"),
       InstanceMethod<&Mapping::ResidentBytes>("residentBytes"),
       InstanceMethod<&Mapping::Populate>("populate"), InstanceMethod<&Mapping::Zero>("zero"),
       InstanceMethod<&Mapping::SetPolicy>("setPolicy"),
       InstanceMethod<&Mapping::WatchFaults>("watchFaults"),
       InstanceAccessor<&Mapping::FaultOffset>("faultOffset"),
       InstanceMethod<&Mapping::Close>("close")});
}

const std::shared_ptr<MemoryBlock>& Mapping::block(Napi::Env env) const {
  if (block_ == nullptr) ThrowClosed(env, kName);
  return block_;
}

Napi::Value Mapping::Size(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(size_));
}

Napi::Value Mapping::CreateView(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto [offset, length] = RangeOf(info);
  const auto& memory = block(env);
  CheckRange(env, offset, length, size_);
  if (length == 0 || length > kMaxView) {
    throw Napi::RangeError::New(env, Format("length: 0x%llx is not from 1 to 0x%llx",
                                            static_cast<unsigned long long>(length),
                                            static_cast<unsigned long long>(kMaxView)));
  }
  const auto view = std::make_shared<View>(memory, views_);
  auto buffer = BufferOver(env, memory->base() + offset, length, view);
  view->buffer = Napi::Weak(buffer);
  return buffer;
}

void Mapping::Read(const Napi::CallbackInfo& info) {
  const uint64_t offset = UintOf(info[0], "offset", kMaxSafe);
  const auto target = BytesOf(info[1], "target");
  const auto& memory = *block(info.Env());
  CheckAccess(info.Env(), memory, {offset, target.size()}, MemoryAccess::kRead);
  // The target may be a view of the same memory.
  if (!target.empty()) std::memmove(target.data(), memory.base() + offset, target.size());
}

void Mapping::Write(const Napi::CallbackInfo& info) {
  const uint64_t offset = UintOf(info[0], "offset", kMaxSafe);
  const auto source = BytesOf(info[1], "source");
  const auto& memory = *block(info.Env());
  CheckAccess(info.Env(), memory, {offset, source.size()}, MemoryAccess::kReadWrite);
  if (!source.empty()) std::memmove(memory.base() + offset, source.data(), source.size());
}

void Mapping::Protect(const Napi::CallbackInfo& info) {
  const auto [offset, length] = RangeOf(info);
  const MemoryAccess access = AccessOf(info[2]);
  auto& memory = *block(info.Env());
  CheckRange(info.Env(), offset, length, size_);
  const int error = memory.Protect(offset, length, access);
  if (error == 0) return;
  ThrowSystemError(
      info.Env(), error, "mprotect",
      Format("offset=0x%llx, length=0x%llx, protection=%d", static_cast<unsigned long long>(offset),
             static_cast<unsigned long long>(length), ProtectionOf(access)));
}

void Mapping::ShowZeros(const Napi::CallbackInfo& info) {
  const auto [offset, length] = RangeOf(info);
  auto& memory = *block(info.Env());
  CheckRange(info.Env(), offset, length, size_);
  const int error = memory.ShowZeros(offset, length);
  if (error == 0) return;
  ThrowSystemError(
      info.Env(), error, "mmap",
      Format("zeros at offset=0x%llx, length=0x%llx", static_cast<unsigned long long>(offset),
             static_cast<unsigned long long>(length)));
}

void Mapping::HideZeros(const Napi::CallbackInfo& info) {
  const auto [offset, length] = RangeOf(info);
  auto& memory = *block(info.Env());
  CheckRange(info.Env(), offset, length, size_);
  const int error = memory.HideZeros(offset, length);
  if (error == 0) return;
  ThrowSystemError(
      info.Env(), error, "mmap",
      Format("offset=0x%llx, length=0x%llx again", static_cast<unsigned long long>(offset),
             static_cast<unsigned long long>(length)));
}

void Mapping::Advise(const Napi::CallbackInfo& info) {
  const auto [offset, length] = RangeOf(info);
  const int advice = static_cast<int>(UintOf(info[2], "advice", kMaxInt));
  auto& memory = *block(info.Env());
  CheckRange(info.Env(), offset, length, size_);
  if (madvise(memory.base() + offset, length, advice) == 0) {
    if (offset == 0 && length == size_ && IsAttribute(advice)) memory.RecordAdvice(advice);
    return;
  }
  ThrowSystemError(info.Env(), errno, "madvise", AdviseArgs(offset, length, advice));
}

Napi::Value Mapping::AdviseAsync(const Napi::CallbackInfo& info) {
  const auto [offset, length] = RangeOf(info);
  const int advice = static_cast<int>(UintOf(info[2], "advice", kMaxInt));
  const auto& memory = block(info.Env());
  CheckRange(info.Env(), offset, length, size_);
  return PoolTask::Start(info.Env(), std::make_unique<AdviseTask>(memory, offset, length, advice));
}

Napi::Value Mapping::ResidentBytes(const Napi::CallbackInfo& info) {
  const auto [offset, length] = RangeOf(info);
  const auto& memory = block(info.Env());
  CheckRange(info.Env(), offset, length, size_);
  return PoolTask::Start(info.Env(), std::make_unique<ResidentTask>(memory, offset, length));
}

void Mapping::DetachViews(Napi::Env env) {
  const Napi::HandleScope scope(env);
  for (View* view : *views_) {
    Napi::ArrayBuffer buffer = view->buffer.Value();
    if (!buffer.IsEmpty() && !buffer.IsDetached()) buffer.Detach();
  }
}

void Mapping::Close(const Napi::CallbackInfo& info) {
  if (block_ == nullptr) return;
  if (!block_->slots().empty()) {
    ThrowState(info.Env(), Format("the Mapping is used by memslot %u", block_->slots().front()));
  }
  DetachViews(info.Env());
  std::exchange(block_, nullptr)->Close();
}

Napi::Value MapMemory(const Napi::CallbackInfo& info) {
  const MapRequest request = RequestOf(ObjectOf(info[0], "options"));
  auto block = std::make_shared<MemoryBlock>(request);
  const SyscallFailure failure = block->Map(request);
  if (failure.error != 0) {
    ThrowSystemError(info.Env(), failure.error, failure.syscall, MapArgs(request));
  }
  return Mapping::Make(info.Env(), Environment::Of(info.Env()).mapping, std::move(block));
}

}  // namespace tsvmm
