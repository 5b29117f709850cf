#include "commands.h"
#include "io.h"
#include "paging.h"

#define PATTERN_STEP 0x9e3779b97f4a7c15UL

static void run_peek(const struct words* arguments) {
  u64 size = number_at(arguments, 0);
  u64 address = number_at(arguments, 1);
  map(address, size);
  switch (size) {
    case 1:
      print("ok %x\n", (u64)read8(address));
      return;
    case 2:
      print("ok %x\n", (u64)read16(address));
      return;
    case 4:
      print("ok %x\n", (u64)read32(address));
      return;
    case 8:
      print("ok %x\n", read64(address));
      return;
    default:
      fail("size must be 1, 2, 4 or 8", NULL);
  }
}

static void run_poke(const struct words* arguments) {
  u64 size = number_at(arguments, 0);
  u64 address = number_at(arguments, 1);
  u64 value = number_at(arguments, 2);
  map(address, size);
  switch (size) {
    case 1:
      write8(address, value);
      break;
    case 2:
      write16(address, value);
      break;
    case 4:
      write32(address, value);
      break;
    case 8:
      write64(address, value);
      break;
    default:
      fail("size must be 1, 2, 4 or 8", NULL);
  }
  print("ok\n");
}

/* Every 8 bytes hold a value made of their address and the seed. */
static u64 pattern(u64 address, u64 seed) { return (address ^ seed) * PATTERN_STEP; }

static u64 range_length(const struct words* arguments) {
  u64 length = number_at(arguments, 1);
  if (length % 8 != 0) fail("length must be a multiple of 8", NULL);
  map(number_at(arguments, 0), length);
  return length;
}

static void run_fill(const struct words* arguments) {
  u64 length = range_length(arguments);
  u64 address = number_at(arguments, 0);
  u64 seed = number_at(arguments, 2);
  for (u64 at = address; at < address + length; at += 8) write64(at, pattern(at, seed));
  print("ok\n");
}

static void run_check(const struct words* arguments) {
  u64 length = range_length(arguments);
  u64 address = number_at(arguments, 0);
  u64 seed = number_at(arguments, 2);
  for (u64 at = address; at < address + length; at += 8) {
    if (read64(at) != pattern(at, seed)) {
      print("error differs at %x: %x\n", at, read64(at));
      return;
    }
  }
  print("ok\n");
}

static void run_zero(const struct words* arguments) {
  u64 length = range_length(arguments);
  u64 address = number_at(arguments, 0);
  for (u64 at = address; at < address + length; at += 8) {
    if (read64(at) != 0) {
      print("error not zero at %x: %x\n", at, read64(at));
      return;
    }
  }
  print("ok\n");
}

static void run_touch(const struct words* arguments) {
  u64 length = range_length(arguments);
  u64 address = number_at(arguments, 0);
  u64 step = number_or(arguments, 2, 4096);
  for (u64 at = address; at < address + length; at += step) write64(at, at | 1);
  print("ok\n");
}

const struct command memory_commands[] = {
    {"peek", run_peek, "SIZE ADDRESS"},
    {"poke", run_poke, "SIZE ADDRESS VALUE"},
    {"fill", run_fill, "ADDRESS LENGTH SEED: writes a pattern"},
    {"check", run_check, "ADDRESS LENGTH SEED: is the pattern there?"},
    {"zero", run_zero, "ADDRESS LENGTH: is it all zeros?"},
    {"touch", run_touch, "ADDRESS LENGTH [STEP]: writes 8 bytes every STEP"},
    {NULL, NULL, NULL},
};
