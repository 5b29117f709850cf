/* What the VMM tells about the machine: the PVH start info and the ACPI tables. */
#pragma once
#include "types.h"

#define COMMAND_LINE_SIZE 512
#define MAX_TABLES 16

struct acpi_table {
  char signature[5];
  bool checksum_ok;
  u64 address;
  u32 length;
};

struct platform {
  char command_line[COMMAND_LINE_SIZE];
  u64 memory_bytes; /* RAM in the memory map */
  u64 initrd, initrd_length;
  u64 rsdp;
  bool rsdp_ok;
  u32 cpus;
  u8 apic_ids[16];
  u64 ecam_base; /* 0 when there is no MCFG */
  u16 pm1_control, pm_timer;
  u32 table_count;
  struct acpi_table tables[MAX_TABLES];
};

extern struct platform platform;

void platform_init(void);
/* Reads the ACPI tables that `rsdp` leads to, in acpi.c. */
void acpi_init(u64 rsdp);
