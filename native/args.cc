#include "args.h"

#include <cmath>

#include "error.h"

namespace tsvmm {
namespace {

[[noreturn]] void Refuse(Napi::Env env, const char* name, const char* expected) {
  throw Napi::TypeError::New(env, Format("%s: expected %s", name, expected));
}

template <typename T>
std::span<T> ElementsOf(const Napi::Value& value, const char* name, napi_typedarray_type type,
                        const char* expected) {
  if (!value.IsTypedArray()) Refuse(value.Env(), name, expected);
  const auto array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != type) Refuse(value.Env(), name, expected);
  auto typed = value.As<Napi::TypedArrayOf<T>>();
  return {typed.Data(), typed.Data() == nullptr ? 0 : typed.ElementLength()};
}

}  // namespace

uint64_t UintOf(const Napi::Value& value, const char* name, uint64_t max) {
  if (!value.IsNumber()) Refuse(value.Env(), name, "a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= 0) || number > static_cast<double>(max) || std::trunc(number) != number) {
    throw Napi::RangeError::New(value.Env(),
                                Format("%s: %g is not a whole number from 0 to %llu", name, number,
                                       static_cast<unsigned long long>(max)));
  }
  return static_cast<uint64_t>(number);
}

bool BoolOf(const Napi::Value& value, const char* name) {
  if (!value.IsBoolean()) Refuse(value.Env(), name, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

std::string StringOf(const Napi::Value& value, const char* name) {
  if (!value.IsString()) Refuse(value.Env(), name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

Napi::Object ObjectOf(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) Refuse(value.Env(), name, "an object");
  return value.As<Napi::Object>();
}

Napi::Function FunctionOf(const Napi::Value& value, const char* name) {
  if (!value.IsFunction()) Refuse(value.Env(), name, "a function");
  return value.As<Napi::Function>();
}

uint64_t BigUintOf(const Napi::Value& value, const char* name) {
  if (!value.IsBigInt()) Refuse(value.Env(), name, "a bigint");
  bool lossless = false;
  const uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) {
    throw Napi::RangeError::New(value.Env(), Format("%s: not from 0 to 2^64-1", name));
  }
  return number;
}

std::span<uint8_t> BytesOf(const Napi::Value& value, const char* name) {
  return ElementsOf<uint8_t>(value, name, napi_uint8_array, "a Uint8Array");
}

std::span<uint32_t> WordsOf(const Napi::Value& value, const char* name) {
  return ElementsOf<uint32_t>(value, name, napi_uint32_array, "a Uint32Array");
}

std::span<uint64_t> QuadsOf(const Napi::Value& value, const char* name) {
  return ElementsOf<uint64_t>(value, name, napi_biguint64_array, "a BigUint64Array");
}

uint64_t UintField(const Napi::Object& options, const char* name, uint64_t max) {
  return UintOf(options.Get(name), name, max);
}

bool BoolField(const Napi::Object& options, const char* name) {
  return BoolOf(options.Get(name), name);
}

std::string StringField(const Napi::Object& options, const char* name) {
  return StringOf(options.Get(name), name);
}

void CheckRange(Napi::Env env, uint64_t offset, uint64_t length, uint64_t size) {
  if (offset <= size && length <= size - offset) return;
  throw Napi::RangeError::New(
      env, Format("offset 0x%llx and length 0x%llx leave the size 0x%llx",
                  static_cast<unsigned long long>(offset), static_cast<unsigned long long>(length),
                  static_cast<unsigned long long>(size)));
}

}  // namespace tsvmm
