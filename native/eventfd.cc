#include "eventfd.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

#include "args.h"

namespace tsvmm {
namespace {

/// Resets the counter. @returns whether it was not zero
bool DrainCounter(int fd) {
  uint64_t count = 0;
  return read(fd, &count, sizeof count) == static_cast<ssize_t>(sizeof count);
}

}  // namespace

EventFd::EventFd(const Napi::CallbackInfo& info) : Handle(info), descriptor_(TakeInit()) {}

EventFd::~EventFd() { StopWatching(); }

Napi::Function EventFd::Define(Napi::Env env) {
  return DefineClass(
      env, kName,
      {InstanceAccessor<&EventFd::Fd>("fd"), InstanceMethod<&EventFd::Signal>("signal"),
       InstanceMethod<&EventFd::Drain>("drain"), InstanceMethod<&EventFd::Watch>("watch"),
       InstanceMethod<&EventFd::Unwatch>("unwatch"), InstanceMethod<&EventFd::Close>("close")});
}

const std::shared_ptr<UniqueFd>& EventFd::descriptor(Napi::Env env) const {
  if (descriptor_ == nullptr) ThrowClosed(env, kName);
  return descriptor_;
}

Napi::Value EventFd::Fd(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), descriptor(info.Env())->get());
}

void EventFd::Signal(const Napi::CallbackInfo& info) {
  const uint64_t one = 1;
  // A counter that is full (EAGAIN) is signalled already.
  if (write(descriptor(info.Env())->get(), &one, sizeof one) < 0 && errno != EAGAIN) {
    ThrowSystemError(info.Env(), errno, "write", "eventfd");
  }
}

Napi::Value EventFd::Drain(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), DrainCounter(descriptor(info.Env())->get()));
}

void EventFd::Watch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Function callback = FunctionOf(info[0], "callback");
  const int fd = descriptor(env)->get();
  if (poll_ != nullptr) ThrowState(env, "the EventFd is watched already");
  int error = 0;
  const auto init = [fd](uv_loop_t* loop, uv_poll_t* poll) { return uv_poll_init(loop, poll, fd); };
  poll_ = LoopHandle<uv_poll_t>::Open(env, this, init, &error);
  if (poll_ == nullptr) ThrowSystemError(env, -error, "uv_poll_init", Format("fd=%d", fd));
  error = uv_poll_start(&poll_->handle, UV_READABLE, [](uv_poll_t* poll, int, int) {
    auto* owner = static_cast<LoopHandle<uv_poll_t>*>(poll->data)->owner();
    if (owner != nullptr) static_cast<EventFd*>(owner)->OnReadable();
  });
  if (error != 0) {
    StopWatching();
    ThrowSystemError(env, -error, "uv_poll_start", Format("fd=%d", fd));
  }
  // A doorbell alone keeps no process alive.
  uv_unref(poll_->base());
  Keep(env, info.This().As<Napi::Object>(), "callback", callback);
  callback_ = Napi::Weak(callback);
}

void EventFd::OnReadable() {
  if (DrainCounter(descriptor_->get())) CallFromLoop(Env(), *this, callback_);
}

void EventFd::StopWatching() {
  if (poll_ == nullptr) return;
  std::exchange(poll_, nullptr)->Close();
  callback_.Reset();
}

void EventFd::Unwatch(const Napi::CallbackInfo&) { StopWatching(); }

void EventFd::Close(const Napi::CallbackInfo&) {
  // The poll first: libuv forbids closing a descriptor that it polls.
  StopWatching();
  descriptor_.reset();
}

Napi::Value CreateEventFd(const Napi::CallbackInfo& info) {
  UniqueFd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.valid()) ThrowSystemError(info.Env(), errno, "eventfd", "0, EFD_CLOEXEC|EFD_NONBLOCK");
  return EventFd::Make(info.Env(), Environment::Of(info.Env()).event_fd,
                       std::make_shared<UniqueFd>(std::move(fd)));
}

}  // namespace tsvmm
