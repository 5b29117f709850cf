/* Ways of using memory that a plain load or store is not. */
#include "commands.h"
#include "io.h"
#include "layout.h"
#include "paging.h"

#define ADDRESS_MASK 0x000ffffffffff000UL
/* An address that nothing else maps, with a level-4 entry of its own. */
#define FAR_ADDRESS 0x500000000000UL

extern u64 pml4[];

void call_cpl0(void (*function)(void), u64 argument);
void cpl0_load(void);
void cpl0_store(void);
void cpl0_flush(void);
u64 cpl0_value;

/* Called at CPL 0 with the address in rsi. */
__asm__(
    ".globl cpl0_load, cpl0_store, cpl0_flush\n"
    "cpl0_load: movq (%rsi), %rax; movq %rax, cpl0_value; ret\n"
    "cpl0_store: movq %rsi, (%rsi); ret\n"
    "cpl0_flush: movq %cr3, %rax; movq %rax, %cr3; ret\n");

static u64 mapped(const struct words *arguments) {
  u64 address = number_at(arguments, 0);
  map(address, 4096);
  return address;
}

static void run_load0(const struct words *arguments) {
  call_cpl0(cpl0_load, mapped(arguments));
  print("ok %x\n", cpl0_value);
}

static void run_store0(const struct words *arguments) {
  call_cpl0(cpl0_store, mapped(arguments));
  print("ok\n");
}

static void run_exchange(const struct words *arguments) {
  u64 value = 1;
  u64 address = mapped(arguments);
  __asm__ volatile("xchgq %0, (%1)" : "+r"(value) : "r"(address) : "memory");
  print("ok %x\n", value);
}

static void run_copy(const struct words *arguments) {
  u64 from = mapped(arguments);
  u64 to = number_at(arguments, 1);
  u64 words = number_at(arguments, 2) / 8;
  map(from, words * 8);
  map(to, words * 8);
  __asm__ volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(words)::"memory");
  print("ok\n");
}

static void run_push(const struct words *arguments) {
  u64 top = mapped(arguments) + 8;
  __asm__ volatile(
      "movq %%rsp, %%rbx; movq %0, %%rsp; pushq $1; movq %%rbx, %%rsp" ::"r"(top)
      : "rbx", "memory");
  print("ok\n");
}

static void run_call(const struct words *arguments) {
  ((void (*)(void))mapped(arguments))();
  print("ok\n");
}

/* Has the page tables of FAR_ADDRESS begin at ADDRESS, and reads there. */
static void run_tables(const struct words *arguments) {
  pml4[FAR_ADDRESS >> 39 & 511] = (number_at(arguments, 0) & ADDRESS_MASK) | 7;
  call_cpl0(cpl0_flush, 0);
  print("ok %x\n", read64(FAR_ADDRESS));
}

const struct command access_commands[] = {
    {"load0", run_load0, "ADDRESS: reads 8 bytes at CPL 0"},
    {"store0", run_store0, "ADDRESS: writes 8 bytes at CPL 0"},
    {"exchange", run_exchange, "ADDRESS: exchanges 8 bytes with 1"},
    {"copy", run_copy, "FROM TO LENGTH: copies with a string instruction"},
    {"push", run_push, "ADDRESS: pushes 8 bytes, so that they lie there"},
    {"call", run_call, "ADDRESS: calls what is there"},
    {"tables", run_tables, "ADDRESS: reads through page tables that begin there"},
    {NULL, NULL, NULL},
};
