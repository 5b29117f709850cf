#include "text.h"

#include "console.h"

void split_words(char* line, struct words* words) {
  words->count = 0;
  while (words->count < MAX_WORDS) {
    while (*line == ' ') *line++ = 0;
    if (*line == 0) return;
    words->word[words->count++] = line;
    while (*line != ' ' && *line != 0) line++;
  }
}

const char* after(const char* text, const char* prefix) {
  while (*prefix != 0) {
    if (*text++ != *prefix++) return NULL;
  }
  return text;
}

bool equal(const char* a, const char* b) {
  const char* rest = after(a, b);
  return rest != NULL && *rest == 0;
}

const char* option(const struct words* words, const char* name) {
  for (int i = 0; i < words->count; i++) {
    const char* rest = after(words->word[i], name);
    if (rest != NULL && *rest == '=') return rest + 1;
  }
  return NULL;
}

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return 99;
}

static u64 suffix_factor(char c) {
  switch (c) {
    case 'K':
      return KIB;
    case 'M':
      return MIB;
    case 'G':
      return GIB;
    case 'T':
      return 1024 * GIB;
    default:
      return 1;
  }
}

u64 to_number(const char* text) {
  const char* p = text;
  int base = 10;
  u64 value = 0;
  if (after(p, "0x") != NULL) {
    base = 16;
    p += 2;
  }
  if (digit(*p) >= base) fail("not a number:", text);
  while (digit(*p) < base) value = value * base + digit(*p++);
  u64 factor = suffix_factor(*p);
  if (factor > 1) p++;
  if (*p != 0) fail("not a number:", text);
  return value * factor;
}

u64 number_at(const struct words* words, int index) {
  if (index >= words->count) fail("missing argument", NULL);
  return to_number(words->word[index]);
}

u64 number_or(const struct words* words, int index, u64 fallback) {
  return index < words->count ? to_number(words->word[index]) : fallback;
}

u64 option_number(const struct words* words, const char* name, u64 fallback) {
  const char* text = option(words, name);
  return text == NULL ? fallback : to_number(text);
}

void* memset(void* target, int byte, u64 length) {
  void* p = target;
  __asm__ volatile("rep stosb" : "+D"(p), "+c"(length) : "a"(byte) : "memory");
  return target;
}

void* memcpy(void* target, const void* source, u64 length) {
  void* p = target;
  __asm__ volatile("rep movsb" : "+D"(p), "+S"(source), "+c"(length)::"memory");
  return target;
}

static void print_number(u64 value, u32 base) {
  char digits[24];
  int n = 0;
  do {
    digits[n++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  while (n > 0) console_put(digits[--n]);
}

static void print_text(const char* text) {
  while (*text != 0) console_put(*text++);
}

void print(const char* format, ...) {
  __builtin_va_list values;
  __builtin_va_start(values, format);
  for (const char* p = format; *p != 0; p++) {
    if (*p != '%') {
      console_put(*p);
      continue;
    }
    switch (*++p) {
      case 's':
        print_text(__builtin_va_arg(values, const char*));
        break;
      case 'c':
        console_put((char)__builtin_va_arg(values, int));
        break;
      case 'u':
        print_number(__builtin_va_arg(values, u64), 10);
        break;
      case 'x':
        print_text("0x");
        print_number(__builtin_va_arg(values, u64), 16);
        break;
      default:
        console_put(*p);
    }
  }
  __builtin_va_end(values);
}
