/* PCI configuration space, through the ports 0xCF8/0xCFC or through ECAM. */
#pragma once
#include "types.h"

struct pci_address {
  u8 bus, device, function;
};

/* From now on accesses go through ECAM (which must be known), or through the ports. */
void pci_use_ecam(bool ecam);

u32 pci_read(struct pci_address at, u16 offset, u8 size);
void pci_write(struct pci_address at, u16 offset, u8 size, u32 value);

/* Calls `visit` for every function of bus 0; stops and answers true when `visit` does. */
bool pci_scan(bool (*visit)(struct pci_address at, void* context), void* context);

/* Offset of the next capability with this id after `previous` (0: the first); 0 when there is none.
 */
u8 pci_capability(struct pci_address at, u8 id, u8 previous);

/* Address of a memory BAR; places it first when nobody has. 0 when it is not a memory BAR. */
u64 pci_bar(struct pci_address at, u8 bar);
/* Size of a BAR, by writing all ones and putting it back. */
u64 pci_bar_size(struct pci_address at, u8 bar);
void pci_set_bar(struct pci_address at, u8 bar, u64 address);

#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY 0x2
#define PCI_COMMAND_MASTER 0x4
#define PCI_COMMAND_INTX_DISABLE 0x400
#define PCI_INTERRUPT_PIN 0x3d
#define PCI_CAPABILITY_MSIX 0x11
#define PCI_CAPABILITY_VENDOR 0x09
