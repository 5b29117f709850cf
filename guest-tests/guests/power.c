#include "commands.h"
#include "interrupts.h"
#include "io.h"
#include "platform.h"

#define PM1_CONTROL 0x604
#define SLEEP_ENABLE (1 << 13)
#define SLEEP_TYPE(n) ((n) << 10)

void cpl0_triple_fault(void);

static void wait_forever(void) {
  for (;;) wait_for_interrupt(interrupts_seen());
}

static void run_poweroff(const struct words* arguments) {
  u16 port = platform.pm1_control != 0 ? platform.pm1_control : PM1_CONTROL;
  (void)arguments;
  print("ok\n");
  out16(port, SLEEP_TYPE(5) | SLEEP_ENABLE);
  out16(port, SLEEP_TYPE(0) | SLEEP_ENABLE); /* the S5 type of QEMU's q35 */
  wait_forever();
}

/* ACPI 6.5 §4.8.3.6: the reset register of the FADT, when it is a port. */
static void acpi_reset(void) {
  for (u32 i = 0; i < platform.table_count; i++) {
    const struct acpi_table* table = &platform.tables[i];
    if (!equal(table->signature, "FACP") || table->length < 129) continue;
    bool supported = (read32(table->address + 112) & 1 << 10) != 0;
    if (!supported || read8(table->address + 116) != 1) fail("no reset port in the FADT", NULL);
    print("ok\n");
    out8(read64(table->address + 120), read8(table->address + 128));
    wait_forever();
  }
  fail("no FADT", NULL);
}

static void run_reboot(const struct words* arguments) {
  const char* way = arguments->count > 0 ? arguments->word[0] : "cf9";
  if (equal(way, "acpi")) acpi_reset();
  bool known = equal(way, "cf9") || equal(way, "i8042") || equal(way, "triple");
  if (!known) fail("reboot by cf9, i8042, acpi or triple, not", way);
  print("ok\n");
  if (equal(way, "cf9")) {
    out8(0xcf9, 0x02);
    out8(0xcf9, 0x06);
  }
  if (equal(way, "i8042")) out8(0x64, 0xfe);
  if (equal(way, "triple")) call_cpl0(cpl0_triple_fault, 0);
  wait_forever();
}

/* With interrupts masked nothing wakes the CPU but a reset. */
static void run_halt(const struct words* arguments) {
  (void)arguments;
  print("ok\n");
  out8(0x3f9, 0);
  wait_forever();
}

const struct command power_commands[] = {
    {"poweroff", run_poweroff, "through ACPI"},
    {"reboot", run_reboot, "cf9|i8042|acpi|triple"},
    {"halt", run_halt, "deaf to the console, for good"},
    {NULL, NULL, NULL},
};
