#include "commands.h"
#include "pci.h"
#include "platform.h"

static bool print_function(struct pci_address at, void* context) {
  (void)context;
  print(" %u.%u=%x:%x", (u64)at.device, (u64)at.function, (u64)pci_read(at, 0, 2),
        (u64)pci_read(at, 2, 2));
  return false;
}

static void run_list(const struct words* arguments) {
  (void)arguments;
  print("ok");
  pci_scan(print_function, NULL);
  print("\n");
}

static struct pci_address address_at(const struct words* arguments, int index) {
  return (struct pci_address){number_at(arguments, index), number_at(arguments, index + 1),
                              number_at(arguments, index + 2)};
}

static u8 access_size(const struct words* arguments) {
  u64 size = number_at(arguments, 0);
  if (size != 1 && size != 2 && size != 4) fail("size must be 1, 2 or 4", NULL);
  return size;
}

static void run_read(const struct words* arguments) {
  u8 size = access_size(arguments);
  print("ok %x\n", (u64)pci_read(address_at(arguments, 1), number_at(arguments, 4), size));
}

static void run_write(const struct words* arguments) {
  u8 size = access_size(arguments);
  pci_write(address_at(arguments, 1), number_at(arguments, 4), size, number_at(arguments, 5));
  print("ok\n");
}

static void run_ecam(const struct words* arguments) {
  pci_use_ecam(arguments->count == 0 || !equal(arguments->word[0], "off"));
  print("ok base=%x\n", platform.ecam_base);
}

static void run_bar(const struct words* arguments) {
  struct pci_address at = address_at(arguments, 0);
  u8 bar = number_at(arguments, 3);
  if (arguments->count > 4) pci_set_bar(at, bar, number_at(arguments, 4));
  print("ok address=%x size=%x\n", pci_bar(at, bar), pci_bar_size(at, bar));
}

static void run_capability(const struct words* arguments) {
  struct pci_address at = address_at(arguments, 0);
  print("ok %x\n", (u64)pci_capability(at, number_at(arguments, 3), number_or(arguments, 4, 0)));
}

static void run_acpi(const struct words* arguments) {
  (void)arguments;
  print("ok rsdp=%x:%s", platform.rsdp, platform.rsdp_ok ? "good" : "bad");
  for (u32 i = 0; i < platform.table_count; i++) {
    print(" %s=%x+%u:%s", platform.tables[i].signature, platform.tables[i].address,
          (u64)platform.tables[i].length, platform.tables[i].checksum_ok ? "good" : "bad");
  }
  print("\n");
}

const struct command pci_commands[] = {
    {"pci list", run_list, "every function of bus 0 as DEVICE.FUNCTION=VENDOR:ID"},
    {"pci bar", run_bar, "BUS DEVICE FUNCTION BAR [ADDRESS]: places a BAR, or says where it is"},
    {"pci cap", run_capability, "BUS DEVICE FUNCTION ID [AFTER]: where a capability is, or 0"},
    {"cfg read", run_read, "SIZE BUS DEVICE FUNCTION OFFSET"},
    {"cfg write", run_write, "SIZE BUS DEVICE FUNCTION OFFSET VALUE"},
    {"ecam", run_ecam, "[off]: go through memory-mapped configuration space"},
    {"acpi list", run_acpi, "the tables: address, length, checksum"},
    {NULL, NULL, NULL},
};
