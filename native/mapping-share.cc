#include "mapping-share.h"

#include <cmath>
#include <memory>
#include <utility>

#include "args.h"
#include "mapping-count.h"
#include "pool-task.h"

namespace tsvmm {
namespace {

/// CountMappings, or ForgoCount where it does not come to that.
class CountTask final : public PoolTask {
 public:
  CountTask() : PoolTask("read", "/proc/self/maps") {}
  ~CountTask() override {
    if (!done_) ForgoCount();
  }

 private:
  int Work() override {
    CountMappings();
    done_ = true;
    return 0;
  }

  bool done_ = false;
};

/// Soon after, since a call that plugs memory does not wait for it.
void CountIfDue(Napi::Env env, bool refused) {
  if (!WantsCount(refused)) return;
  WithoutThrowing([&] { PoolTask::Start(env, std::make_unique<CountTask>()); });
}

/// A whole number, which may be negative.
int64_t CountOf(const Napi::Value& value) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (std::trunc(number) == number && std::abs(number) <= static_cast<double>(kMaxInt)) {
    return static_cast<int64_t>(number);
  }
  throw Napi::TypeError::New(value.Env(), "count: expected a whole number");
}

}  // namespace

MappingShare::MappingShare(const Napi::CallbackInfo& info)
    : Handle(info), uses_reserve_(TakeInit()) {}

Napi::Function MappingShare::Define(Napi::Env env) {
  return DefineClass(
      env, kName,
      {InstanceAccessor<&MappingShare::Left>("left"), InstanceMethod<&MappingShare::Take>("take"),
       InstanceMethod<&MappingShare::Force>("force"),
       InstanceMethod<&MappingShare::Close>("close")});
}

Napi::Value MappingShare::Left(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(MappingsLeft()));
}

Napi::Value MappingShare::Take(const Napi::CallbackInfo& info) {
  const int64_t count = CountOf(info[0]);
  if (uses_reserve_ && !closed_) {
    ForceMappings(count);
    held_ += count;
    return Napi::Boolean::New(info.Env(), true);
  }
  const bool taken = !closed_ && TakeMappings(count);
  if (taken) held_ += count;
  CountIfDue(info.Env(), !taken);
  return Napi::Boolean::New(info.Env(), taken);
}

void MappingShare::Force(const Napi::CallbackInfo& info) {
  const int64_t count = CountOf(info[0]);
  if (closed_) return;
  ForceMappings(count);
  held_ += count;
  CountIfDue(info.Env(), false);
}

void MappingShare::GiveBack() { ForceMappings(-std::exchange(held_, 0)); }

void MappingShare::Close(const Napi::CallbackInfo&) {
  closed_ = true;
  GiveBack();
}

Napi::Value ShareMappings(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const bool uses_reserve = !info[0].IsUndefined() && BoolOf(info[0], "usesReserve");
  ReadMappingLimit();
  if (WantsFirstCount()) CountMappings();
  CountIfDue(env, true);
  return MappingShare::Make(env, Environment::Of(env).mapping_share, uses_reserve);
}

}  // namespace tsvmm
