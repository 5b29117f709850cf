/* Words, numbers and formatted lines. */
#pragma once
#include "types.h"

#define MAX_WORDS 40

/* A command line split at blanks. */
struct words {
  int count;
  const char* word[MAX_WORDS];
};

void split_words(char* line, struct words* words);

bool equal(const char* a, const char* b);
/* Text after `prefix`, or NULL. */
const char* after(const char* text, const char* prefix);
/* The value of a `name=value` word, or NULL. */
const char* option(const struct words* words, const char* name);

/* Decimal or 0x…, with K, M, G or T after it. Stops the command on anything else. */
u64 to_number(const char* text);
u64 number_at(const struct words* words, int index);
u64 number_or(const struct words* words, int index, u64 fallback);
u64 option_number(const struct words* words, const char* name, u64 fallback);

void* memset(void* target, int byte, u64 length);
void* memcpy(void* target, const void* source, u64 length);

/* Writes to the console; knows %s, %c, %u (u64, decimal), %x (u64, with 0x) and %%. */
void print(const char* format, ...);

/* Ends the command under way with the line `error TEXT`; `detail` may be NULL. */
__attribute__((noreturn)) void fail(const char* text, const char* detail);
