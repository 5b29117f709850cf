#include "io.h"
#include "layout.h"
#include "paging.h"
#include "platform.h"
#include "text.h"

struct platform platform;

extern u64 start_info_gpa;

/* hvm_start_info of the PVH boot ABI, version 1. */
struct start_info {
  u32 magic, version, flags, module_count;
  u64 modules, command_line, rsdp, memory_map;
  u32 memory_map_entries, reserved;
};
#define START_INFO_MAGIC 0x336ec578

struct memory_map_entry {
  u64 address, size;
  u32 type, reserved;
};
#define MEMORY_RAM 1

static bool checksum_ok(u64 address, u64 length) {
  u8 sum = 0;
  map(address, length);
  for (u64 i = 0; i < length; i++) sum += read8(address + i);
  return sum == 0;
}

/* ACPI 6.5 §5.2.12: entries of type and length; type 0 is a local APIC. */
static void read_madt(const struct acpi_table* table) {
  for (u64 at = table->address + 44; at < table->address + table->length; at += read8(at + 1)) {
    if (read8(at + 1) == 0) return;
    bool enabled = (read32(at + 4) & 1) != 0;
    if (read8(at) == 0 && enabled && platform.cpus < sizeof(platform.apic_ids)) {
      platform.apic_ids[platform.cpus++] = read8(at + 3);
    }
  }
}

static void add_table(u64 address) {
  if (platform.table_count == MAX_TABLES) return;
  struct acpi_table* table = &platform.tables[platform.table_count++];
  map(address, 8);
  memcpy(table->signature, (void*)address, 4);
  table->address = address;
  table->length = read32(address + 4);
  table->checksum_ok = checksum_ok(address, table->length);
  if (equal(table->signature, "MCFG")) platform.ecam_base = read64(address + 44);
  if (equal(table->signature, "APIC")) read_madt(table);
  if (equal(table->signature, "FACP")) {
    platform.pm1_control = read16(address + 64);
    platform.pm_timer = read16(address + 76);
    u64 dsdt = table->length >= 148 ? read64(address + 140) : 0;
    add_table(dsdt != 0 ? dsdt : read32(address + 40));
  }
}

void acpi_init(u64 rsdp) {
  if (rsdp == 0) return;
  map(rsdp, 36);
  bool extended = read8(rsdp + 15) >= 2;
  platform.rsdp = rsdp;
  platform.rsdp_ok = read64(rsdp) == 0x2052545020445352 /* "RSD PTR " */ && checksum_ok(rsdp, 20) &&
                     (!extended || checksum_ok(rsdp, 36));
  u64 root = extended ? read64(rsdp + 24) : read32(rsdp + 16);
  u32 entry_size = extended ? 8 : 4;
  map(root, 36);
  for (u64 at = root + 36; at < root + read32(root + 4); at += entry_size) {
    add_table(extended ? read64(at) : read32(at));
  }
}

static void read_memory_map(const struct start_info* info) {
  map(info->memory_map, info->memory_map_entries * sizeof(struct memory_map_entry));
  const struct memory_map_entry* entry = (const void*)info->memory_map;
  for (u32 i = 0; i < info->memory_map_entries; i++) {
    if (entry[i].type == MEMORY_RAM) platform.memory_bytes += entry[i].size;
  }
}

void platform_init(void) {
  map(start_info_gpa, sizeof(struct start_info));
  const struct start_info* info = (const void*)start_info_gpa;
  if (info->magic != START_INFO_MAGIC) return;
  if (info->command_line != 0) {
    map(info->command_line, COMMAND_LINE_SIZE);
    const char* text = (const void*)info->command_line;
    for (u32 i = 0; i < COMMAND_LINE_SIZE - 1 && text[i] != 0; i++) {
      platform.command_line[i] = text[i];
    }
  }
  if (info->module_count > 0) {
    map(info->modules, 32);
    platform.initrd = read64(info->modules);
    platform.initrd_length = read64(info->modules + 8);
  }
  if (info->version >= 1) read_memory_map(info);
  acpi_init(info->rsdp);
}
