#include "commands.h"

#include "console.h"
#include "interrupts.h"
#include "io.h"
#include "layout.h"
#include "platform.h"

static void run_help(const struct words* arguments);

static void run_info(const struct words* arguments) {
  (void)arguments;
  print("ok memory=%u cpus=%u initrd=%x initrd-length=%u scratch=%x cmdline=%s\n",
        platform.memory_bytes, (u64)platform.cpus, platform.initrd, platform.initrd_length,
        (u64)SCRATCH_BASE, platform.command_line);
}

static void run_cpuid(const struct words* arguments) {
  u32 regs[4];
  cpuid(number_at(arguments, 0), number_or(arguments, 1, 0), regs);
  print("ok eax=%x ebx=%x ecx=%x edx=%x\n", (u64)regs[0], (u64)regs[1], (u64)regs[2], (u64)regs[3]);
}

static void run_in(const struct words* arguments) {
  u16 port = number_at(arguments, 1);
  switch (number_at(arguments, 0)) {
    case 1:
      print("ok %x\n", (u64)in8(port));
      return;
    case 2:
      print("ok %x\n", (u64)in16(port));
      return;
    case 4:
      print("ok %x\n", (u64)in32(port));
      return;
    default:
      fail("size must be 1, 2 or 4", NULL);
  }
}

static void run_out(const struct words* arguments) {
  u16 port = number_at(arguments, 1);
  u64 value = number_at(arguments, 2);
  switch (number_at(arguments, 0)) {
    case 1:
      out8(port, value);
      break;
    case 2:
      out16(port, value);
      break;
    case 4:
      out32(port, value);
      break;
    default:
      fail("size must be 1, 2 or 4", NULL);
  }
  print("ok\n");
}

static void run_irq(const struct words* arguments) {
  u32 device = number_or(arguments, 0, 0);
  if (device >= MAX_DEVICES) fail("no such device", NULL);
  print("ok total=%u serial=%u config=%u queue=%u intx=%u\n", (u64)interrupts_seen(),
        (u64)interrupts_of(VECTOR_SERIAL), (u64)interrupts_of(VECTOR_CONFIG + device),
        (u64)interrupts_of(VECTOR_QUEUE + device), (u64)interrupts_of(VECTOR_INTX + device));
}

static void run_nmi(const struct words* arguments) {
  (void)arguments;
  print("ok");
  for (u32 i = 0; i < platform.cpus; i++) {
    print(" cpu%u=%u", (u64)i, (u64)nmis_of(platform.apic_ids[i]));
  }
  print("\n");
}

static void run_tsc(const struct words* arguments) {
  (void)arguments;
  print("ok khz=%u now=%u\n", tsc_per_ms(), rdtsc());
}

static void run_flood(const struct words* arguments) {
  u64 lines = number_at(arguments, 0);
  for (u64 i = 0; i < lines; i++) {
    print("%u abcdefghijklmnopqrstuvwxyz0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ\n", i);
  }
  print("ok\n");
}

static void run_spin(const struct words* arguments) {
  u64 end = rdtsc() + number_at(arguments, 0) * tsc_per_ms();
  while (rdtsc() < end) cpu_pause();
  print("ok\n");
}

static const struct command general_commands[] = {
    {"help", run_help, "every command, a line each, then ok"},
    {"info", run_info, "what the VMM said at the start"},
    {"cpuid", run_cpuid, "LEAF [SUBLEAF], as CPL 0 sees it"},
    {"in", run_in, "SIZE PORT"},
    {"out", run_out, "SIZE PORT VALUE"},
    {"irq", run_irq, "[DEVICE]: how many interrupts were taken"},
    {"nmi", run_nmi, "how many non-maskable interrupts each CPU has taken"},
    {"tsc", run_tsc, "rate and value of the time-stamp counter"},
    {"flood", run_flood, "LINES: as many numbered lines, then ok"},
    {"spin", run_spin, "MS: keeps the CPU busy"},
    {NULL, NULL, NULL},
};

static const struct command* const tables[] = {
    general_commands, memory_commands, pci_commands,   virtio_commands,
    ring_commands,    bench_commands,  power_commands, smp_commands,
    access_commands,
};

static void run_help(const struct words* arguments) {
  (void)arguments;
  for (u32 i = 0; i < ARRAY_SIZE(tables); i++) {
    for (const struct command* c = tables[i]; c->name != NULL; c++)
      print("%s: %s\n", c->name, c->help);
  }
  print("ok\n");
}

void command_run(char* line) {
  struct words arguments;
  for (u32 i = 0; i < ARRAY_SIZE(tables); i++) {
    for (const struct command* c = tables[i]; c->name != NULL; c++) {
      const char* rest = after(line, c->name);
      if (rest == NULL || (*rest != 0 && *rest != ' ')) continue;
      split_words(line + (rest - line), &arguments);
      c->run(&arguments);
      return;
    }
  }
  fail("unknown command:", line);
}

void commands_idle(void) { follow_idle(); }
