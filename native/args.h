#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

/*
 * What JavaScript passes, checked. Each throws a TypeError or RangeError that names the value.
 * Fields of an options object may be getters that run any code: read them all before relying on
 * the state of a handle.
 */
namespace tsvmm {

constexpr uint64_t kMaxSafe = (uint64_t{1} << 53) - 1;
constexpr uint64_t kMaxU32 = 0xffff'ffff;
/// What an `int` argument of a system call may be.
constexpr uint64_t kMaxInt = 0x7fff'ffff;

/// A whole number from 0 to `max`.
uint64_t UintOf(const Napi::Value& value, const char* name, uint64_t max);
bool BoolOf(const Napi::Value& value, const char* name);
std::string StringOf(const Napi::Value& value, const char* name);
Napi::Object ObjectOf(const Napi::Value& value, const char* name);
Napi::Function FunctionOf(const Napi::Value& value, const char* name);
/// A bigint from 0 to 2^64-1.
uint64_t BigUintOf(const Napi::Value& value, const char* name);

/// Bytes of a Uint8Array. Valid until JavaScript runs again.
std::span<uint8_t> BytesOf(const Napi::Value& value, const char* name);
/// Elements of a Uint32Array. Valid until JavaScript runs again.
std::span<uint32_t> WordsOf(const Napi::Value& value, const char* name);
/// Elements of a BigUint64Array. Valid until JavaScript runs again.
std::span<uint64_t> QuadsOf(const Napi::Value& value, const char* name);

uint64_t UintField(const Napi::Object& options, const char* name, uint64_t max);
bool BoolField(const Napi::Object& options, const char* name);
std::string StringField(const Napi::Object& options, const char* name);

/// Refuses a range that leaves `size`, naming all three.
void CheckRange(Napi::Env env, uint64_t offset, uint64_t length, uint64_t size);

}  // namespace tsvmm
