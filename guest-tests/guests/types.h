/* Words every file needs. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void*)0)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define KIB 1024UL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static inline u64 min_u64(u64 a, u64 b) { return a < b ? a : b; }
