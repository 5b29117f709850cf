#include "pci.h"

#include "io.h"
#include "layout.h"
#include "paging.h"
#include "platform.h"
#include "text.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc

static bool use_ecam;
static u64 next_bar = BAR_WINDOW_BASE;

void pci_use_ecam(bool ecam) {
  if (ecam && platform.ecam_base == 0) fail("no ECAM: there is no MCFG table", NULL);
  use_ecam = ecam;
}

static u64 ecam_address(struct pci_address at, u16 offset) {
  u64 address =
      platform.ecam_base + ((u64)at.bus << 20 | at.device << 15 | at.function << 12) + offset;
  map(address, 4);
  return address;
}

static u16 select_port(struct pci_address at, u16 offset) {
  out32(CONFIG_ADDRESS,
        0x80000000u | at.bus << 16 | at.device << 11 | at.function << 8 | (offset & 0xfc));
  return CONFIG_DATA + (offset & 3);
}

u32 pci_read(struct pci_address at, u16 offset, u8 size) {
  if (use_ecam) {
    u64 address = ecam_address(at, offset);
    return size == 1 ? read8(address) : size == 2 ? read16(address) : read32(address);
  }
  u16 port = select_port(at, offset);
  return size == 1 ? in8(port) : size == 2 ? in16(port) : in32(port);
}

void pci_write(struct pci_address at, u16 offset, u8 size, u32 value) {
  if (use_ecam) {
    u64 address = ecam_address(at, offset);
    if (size == 1) write8(address, value);
    if (size == 2) write16(address, value);
    if (size == 4) write32(address, value);
    return;
  }
  u16 port = select_port(at, offset);
  if (size == 1) out8(port, value);
  if (size == 2) out16(port, value);
  if (size == 4) out32(port, value);
}

bool pci_scan(bool (*visit)(struct pci_address at, void* context), void* context) {
  for (u8 device = 0; device < 32; device++) {
    for (u8 function = 0; function < 8; function++) {
      struct pci_address at = {0, device, function};
      bool present = pci_read(at, 0, 2) != 0xffff;
      if (present && visit(at, context)) return true;
      bool multifunction = present && (pci_read(at, 0x0e, 1) & 0x80) != 0;
      if (function == 0 && !multifunction) break;
    }
  }
  return false;
}

u8 pci_capability(struct pci_address at, u8 id, u8 previous) {
  bool has_list = (pci_read(at, 0x06, 2) & 0x10) != 0;
  if (!has_list) return 0;
  u8 offset = pci_read(at, previous == 0 ? 0x34 : previous + 1, 1) & 0xfc;
  for (int i = 0; offset != 0 && i < 64; i++) {
    if (pci_read(at, offset, 1) == id) return offset;
    offset = pci_read(at, offset + 1, 1) & 0xfc;
  }
  return 0;
}

static bool is_64_bit(u32 bar) { return (bar & 0x7) == 0x4; }

void pci_set_bar(struct pci_address at, u8 bar, u64 address) {
  u16 offset = 0x10 + bar * 4;
  u32 old = pci_read(at, offset, 4);
  pci_write(at, offset, 4, (u32)address);
  if (is_64_bit(old)) pci_write(at, offset + 4, 4, address >> 32);
}

static u64 bar_value(struct pci_address at, u8 bar) {
  u16 offset = 0x10 + bar * 4;
  u32 low = pci_read(at, offset, 4);
  u64 high = is_64_bit(low) ? pci_read(at, offset + 4, 4) : 0;
  return high << 32 | (low & ((low & 1) != 0 ? ~0x3u : ~0xfu));
}

u64 pci_bar_size(struct pci_address at, u8 bar) {
  u16 offset = 0x10 + bar * 4;
  u32 command = pci_read(at, PCI_COMMAND, 2);
  bool wide = is_64_bit(pci_read(at, offset, 4));
  u64 before = bar_value(at, bar);
  pci_write(at, PCI_COMMAND, 2, command & ~3u); /* nothing decodes a BAR of all ones */
  pci_set_bar(at, bar, ~0UL);
  u64 mask = bar_value(at, bar);
  pci_set_bar(at, bar, before);
  pci_write(at, PCI_COMMAND, 2, command);
  if (mask == 0) return 0;
  return wide ? ~mask + 1 : (u32)~mask + 1;
}

u64 pci_bar(struct pci_address at, u8 bar) {
  if ((pci_read(at, 0x10 + bar * 4, 4) & 1) != 0) return 0;
  u64 address = bar_value(at, bar);
  if (address == 0) {
    u64 size = pci_bar_size(at, bar);
    if (size == 0) return 0;
    address = (next_bar + size - 1) & ~(size - 1);
    next_bar = address + size;
    pci_set_bar(at, bar, address);
  }
  u32 command = pci_read(at, PCI_COMMAND, 2);
  pci_write(at, PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
  return address;
}
