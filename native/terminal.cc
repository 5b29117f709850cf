#include "terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "args.h"

namespace tsvmm {
namespace {

/// Terminals as they were found. A process exit restores those that are left: JavaScript may have
/// no chance to. Trivially destructible, since exit handlers and destructors interleave.
struct Found {
  int fd;
  bool used;
  termios state;
};
constexpr int kMostTerminals = 8;
Found found[kMostTerminals];
std::mutex found_mutex;

/// Setting modes from a background job would stop the process by SIGTTOU.
int SetModes(int fd, const termios& state) {
  sigset_t stop;
  sigset_t previous;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &stop, &previous);
  int result = 0;
  do {
    result = tcsetattr(fd, TCSANOW, &state);
  } while (result != 0 && errno == EINTR);
  const int error = result == 0 ? 0 : errno;
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  return error;
}

void RestoreEntry(int index) {
  const std::scoped_lock lock(found_mutex);
  Found& entry = found[index];
  if (!entry.used) return;
  SetModes(entry.fd, entry.state);
  close(entry.fd);
  entry.used = false;
}

void RestoreAll() {
  for (int i = 0; i < kMostTerminals; ++i) RestoreEntry(i);
}

/// @returns the index, or -1 when there is no room
int Remember(UniqueFd fd, const termios& state) {
  static const int registered = std::atexit(RestoreAll);
  (void)registered;
  const std::scoped_lock lock(found_mutex);
  for (int i = 0; i < kMostTerminals; ++i) {
    if (found[i].used) continue;
    found[i] = {fd.release(), true, state};
    return i;
  }
  return -1;
}

}  // namespace

Terminal::Terminal(const Napi::CallbackInfo& info) : Handle(info), entry_(TakeInit()) {}

Terminal::~Terminal() {
  if (entry_ >= 0) RestoreEntry(entry_);
}

Napi::Function Terminal::Define(Napi::Env env) {
  return DefineClass(env, kName, {InstanceMethod<&Terminal::Restore>("restore")});
}

void Terminal::Restore(const Napi::CallbackInfo&) {
  if (entry_ >= 0) RestoreEntry(std::exchange(entry_, -1));
}

Napi::Value RawTerminal(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = static_cast<int>(UintOf(info[0], "fd", kMaxInt));
  termios state;
  if (tcgetattr(fd, &state) != 0) ThrowSystemError(env, errno, "tcgetattr", Format("fd=%d", fd));
  UniqueFd own(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!own.valid()) ThrowSystemError(env, errno, "fcntl", Format("F_DUPFD_CLOEXEC, fd=%d", fd));
  const int modes_fd = own.get();
  const int entry = Remember(std::move(own), state);
  if (entry < 0) ThrowState(env, Format("%d terminals are in raw mode already", kMostTerminals));

  termios raw = state;
  cfmakeraw(&raw);
  // What this process prints keeps its line ends.
  raw.c_oflag = state.c_oflag;
  const int error = SetModes(modes_fd, raw);
  if (error != 0) {
    RestoreEntry(entry);
    ThrowSystemError(env, error, "tcsetattr", Format("fd=%d", fd));
  }
  try {
    return Terminal::Make(env, Environment::Of(env).terminal, entry);
  } catch (...) {
    // Nobody has it to restore.
    RestoreEntry(entry);
    throw;
  }
}

}  // namespace tsvmm
