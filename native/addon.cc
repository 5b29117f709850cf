#include <napi.h>
#include <unistd.h>

#include <memory>

#include "affinity.h"
#include "environment.h"
#include "eventfd.h"
#include "kick-signal.h"
#include "kvm.h"
#include "mapping-share.h"
#include "mapping.h"
#include "memfd.h"
#include "terminal.h"
#include "vcpu.h"
#include "vm.h"

namespace tsvmm {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  if (KickSignal() == 0) throw Napi::Error::New(env, "no realtime signal is free");

  auto environment = std::make_unique<Environment>();
  environment->kvm = Napi::Persistent(Kvm::Define(env));
  environment->vm = Napi::Persistent(Vm::Define(env));
  environment->vcpu = Napi::Persistent(Vcpu::Define(env));
  environment->mapping = Napi::Persistent(Mapping::Define(env));
  environment->mapping_share = Napi::Persistent(MappingShare::Define(env));
  environment->event_fd = Napi::Persistent(EventFd::Define(env));
  environment->terminal = Napi::Persistent(Terminal::Define(env));
  env.SetInstanceData(environment.get());
  environment.release();

  exports.Set("openKvm", Napi::Function::New<OpenKvm>(env, "openKvm"));
  exports.Set("mapMemory", Napi::Function::New<MapMemory>(env, "mapMemory"));
  exports.Set("shareMappings", Napi::Function::New<ShareMappings>(env, "shareMappings"));
  exports.Set("createEventFd", Napi::Function::New<CreateEventFd>(env, "createEventFd"));
  exports.Set("createMemfd", Napi::Function::New<CreateMemfd>(env, "createMemfd"));
  exports.Set("closeMemfd", Napi::Function::New<CloseMemfd>(env, "closeMemfd"));
  exports.Set("fallocate", Napi::Function::New<FallocateNow>(env, "fallocate"));
  exports.Set("fallocateAsync", Napi::Function::New<FallocateOnPool>(env, "fallocateAsync"));
  exports.Set("rawTerminal", Napi::Function::New<RawTerminal>(env, "rawTerminal"));
  exports.Set("cpuAffinity", Napi::Function::New<CpuAffinity>(env, "cpuAffinity"));
  exports.Set("setCpuAffinity", Napi::Function::New<SetCpuAffinity>(env, "setCpuAffinity"));
  exports.Set("currentCpu", Napi::Function::New<CurrentCpu>(env, "currentCpu"));
  exports.Set("pageSize", Napi::Number::New(env, static_cast<double>(sysconf(_SC_PAGESIZE))));
  return exports;
}

}  // namespace tsvmm

static Napi::Object InitModule(Napi::Env env, Napi::Object exports) {
  return tsvmm::Init(env, exports);
}
NODE_API_MODULE(tsvmm, InitModule)
