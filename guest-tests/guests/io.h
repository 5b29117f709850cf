/* Ports, memory-mapped registers and the time-stamp counter, all usable at CPL 3. */
#pragma once
#include "types.h"

static inline void out8(u16 port, u8 value) {
  __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}
static inline void out16(u16 port, u16 value) {
  __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}
static inline void out32(u16 port, u32 value) {
  __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

static inline u8 in8(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline u16 in16(u16 port) {
  u16 value;
  __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline u32 in32(u16 port) {
  u32 value;
  __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

/* One access of exactly this size, with a plain mov. */
static inline u8 read8(u64 address) {
  u8 value;
  __asm__ volatile("movb (%1), %0" : "=q"(value) : "r"(address) : "memory");
  return value;
}

static inline u16 read16(u64 address) {
  u16 value;
  __asm__ volatile("movw (%1), %0" : "=r"(value) : "r"(address) : "memory");
  return value;
}

static inline u32 read32(u64 address) {
  u32 value;
  __asm__ volatile("movl (%1), %0" : "=r"(value) : "r"(address) : "memory");
  return value;
}

static inline u64 read64(u64 address) {
  u64 value;
  __asm__ volatile("movq (%1), %0" : "=r"(value) : "r"(address) : "memory");
  return value;
}

static inline void write8(u64 address, u8 value) {
  __asm__ volatile("movb %0, (%1)" ::"q"(value), "r"(address) : "memory");
}
static inline void write16(u64 address, u16 value) {
  __asm__ volatile("movw %0, (%1)" ::"r"(value), "r"(address) : "memory");
}
static inline void write32(u64 address, u32 value) {
  __asm__ volatile("movl %0, (%1)" ::"r"(value), "r"(address) : "memory");
}
static inline void write64(u64 address, u64 value) {
  __asm__ volatile("movq %0, (%1)" ::"r"(value), "r"(address) : "memory");
}

static inline u64 rdtsc(void) {
  u32 low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
  return (u64)high << 32 | low;
}

static inline void cpu_pause(void) { __asm__ volatile("pause" ::: "memory"); }
static inline void memory_barrier(void) { __asm__ volatile("mfence" ::: "memory"); }
