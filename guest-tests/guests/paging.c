#include "paging.h"

#include "layout.h"
#include "text.h"

#define ENTRIES 512
#define TABLE_FLAGS 0x07UL /* present, writable, user */
#define PAGE_2M_FLAGS 0x87UL
#define ADDRESS_MASK 0x000ffffffffff000UL

extern u64 pml4[ENTRIES], pdpt[ENTRIES], low_pd[ENTRIES];

static u64 next_table = PAGE_TABLES_BASE;

void paging_init(void) {
  for (u64 i = 1; i < ENTRIES; i++) pml4[i] = 0;
  for (u64 i = 1; i < ENTRIES; i++) pdpt[i] = 0;
  for (u64 i = 2; i < ENTRIES; i++) low_pd[i] = (i * 2 * MIB) | PAGE_2M_FLAGS;
}

static u64* new_table(void) {
  if (next_table == PAGE_TABLES_END) fail("no more page tables", NULL);
  u64* table = (u64*)next_table;
  next_table += 4096;
  return table;
}

static u64* pdpt_of(u64 address) {
  u64* entry = &pml4[address >> 39 & (ENTRIES - 1)];
  if (*entry == 0) {
    u64* table = new_table();
    memset(table, 0, 4096);
    *entry = (u64)table | TABLE_FLAGS;
  }
  return (u64*)(*entry & ADDRESS_MASK);
}

static void map_gib(u64 address) {
  u64* entry = &pdpt_of(address)[address >> 30 & (ENTRIES - 1)];
  if (*entry != 0) return;
  u64* pd = new_table();
  for (u64 i = 0; i < ENTRIES; i++) pd[i] = (address + i * 2 * MIB) | PAGE_2M_FLAGS;
  *entry = (u64)pd | TABLE_FLAGS;
}

void map(u64 address, u64 length) {
  u64 last = address + (length == 0 ? 0 : length - 1);
  if (last < address || last >> 47 != 0) fail("address range cannot be mapped", NULL);
  for (u64 gib = address & ~(GIB - 1); gib <= last; gib += GIB) map_gib(gib);
}
