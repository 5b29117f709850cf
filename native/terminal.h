#pragma once

#include <termios.h>

#include "environment.h"
#include "unique-fd.h"

namespace tsvmm {

/// A terminal in raw mode: NativeTerminal of addon.ts.
class Terminal : public Handle<Terminal, int> {
 public:
  static constexpr const char* kName = "Terminal";
  static constexpr napi_type_tag kTag = {0x6b1fd0c29d1e4f04, 0x8a5c7f7f4be64b04};

  explicit Terminal(const Napi::CallbackInfo& info);
  ~Terminal() override;
  static Napi::Function Define(Napi::Env env);

 private:
  void Restore(const Napi::CallbackInfo& info);

  /// Index into the terminals to restore; -1 once restored.
  int entry_;
};

/// `rawTerminal(fd)`.
Napi::Value RawTerminal(const Napi::CallbackInfo& info);

}  // namespace tsvmm
