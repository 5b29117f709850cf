#pragma once

#include <pthread.h>
#include <signal.h>

namespace tsvmm {

/// The realtime signal that makes KVM_RUN return; its handler does nothing. Installed by the first
/// call, on a signal that nobody else handles. @returns 0 when there is none
int KickSignal();

/// While alive, the calling thread takes no signals but those that cannot be blocked, and SIGBUS:
/// threads started meanwhile inherit that, and Node's signals stay on Node's thread.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t previous_;
};

/// Lets the calling thread take kicks.
void AcceptKicks();

}  // namespace tsvmm
