#include "interrupts.h"
#include "io.h"
#include "layout.h"
#include "paging.h"
#include "text.h"
#include "virtio.h"

#define VIRTIO_VENDOR 0x1af4
#define VIRTIO_MODERN_ID 0x1040

/* §4.1.4: types of the vendor capabilities */
#define CAP_COMMON 1
#define CAP_NOTIFY 2
#define CAP_ISR 3
#define CAP_DEVICE 4
#define CAP_PCI_ACCESS 5

#define NO_VECTOR 0xffff
#define QUEUE_SIZE_MAX 128

struct virtio_device devices[MAX_DEVICES];
u32 device_count;

u32 device_index(const struct virtio_device* device) { return device - devices; }

static void read_capability(struct virtio_device* device, u8 cap) {
  struct pci_address at = device->at;
  u8 type = pci_read(at, cap + 3, 1);
  if (type == CAP_PCI_ACCESS) {
    device->pci_access = cap;
    return;
  }
  u64 bar = pci_bar(at, pci_read(at, cap + 4, 1));
  u64 address = bar + pci_read(at, cap + 8, 4);
  u32 length = pci_read(at, cap + 12, 4);
  if (bar == 0) return;
  map(address, length);
  if (type == CAP_COMMON) device->common = address;
  if (type == CAP_ISR) device->isr = address;
  if (type == CAP_NOTIFY) {
    device->notify = address;
    device->notify_multiplier = pci_read(at, cap + 16, 4);
  }
  if (type == CAP_DEVICE) {
    device->config = address;
    device->config_length = length;
  }
}

static bool add_device(struct pci_address at, void* context) {
  (void)context;
  if (pci_read(at, 0, 2) != VIRTIO_VENDOR || pci_read(at, 2, 2) < VIRTIO_MODERN_ID) return false;
  if (device_count == MAX_DEVICES) return true;
  struct virtio_device* device = &devices[device_count++];
  *device = (struct virtio_device){.at = at, .type = pci_read(at, 2, 2) - VIRTIO_MODERN_ID};
  u8 cap = 0;
  while ((cap = pci_capability(at, PCI_CAPABILITY_VENDOR, cap)) != 0) read_capability(device, cap);
  return false;
}

void virtio_find(void) {
  device_count = 0;
  pci_scan(add_device, NULL);
}

u64 virtio_offered(struct virtio_device* device) {
  write32(device->common + COMMON_DEVICE_FEATURE_SELECT, 1);
  u64 high = read32(device->common + COMMON_DEVICE_FEATURE);
  write32(device->common + COMMON_DEVICE_FEATURE_SELECT, 0);
  return high << 32 | read32(device->common + COMMON_DEVICE_FEATURE);
}

const char* virtio_negotiate(struct virtio_device* device, u64 features) {
  u64 status = device->common + COMMON_STATUS;
  write8(status, 0);
  while (read8(status) != 0) cpu_pause();
  write8(status, STATUS_ACKNOWLEDGE);
  write8(status, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
  write32(device->common + COMMON_DRIVER_FEATURE_SELECT, 0);
  write32(device->common + COMMON_DRIVER_FEATURE, (u32)features);
  write32(device->common + COMMON_DRIVER_FEATURE_SELECT, 1);
  write32(device->common + COMMON_DRIVER_FEATURE, features >> 32);
  write8(status, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
  if ((read8(status) & STATUS_FEATURES_OK) == 0) return "features refused";
  device->features = features;
  return NULL;
}

static void setup_msix(struct virtio_device* device, u8 cap) {
  struct pci_address at = device->at;
  u32 location = pci_read(at, cap + 4, 4);
  u64 table = pci_bar(at, location & 7) + (location & ~7u);
  u8 vectors[2] = {VECTOR_CONFIG + device_index(device), VECTOR_QUEUE + device_index(device)};
  map(table, 32);
  pci_write(at, cap + 2, 2, (pci_read(at, cap + 2, 2) | 0x8000) & ~0x4000u); /* enable, unmask */
  for (u32 i = 0; i < ARRAY_SIZE(vectors); i++) {
    write32(table + 16 * i, LAPIC_BASE);
    write32(table + 16 * i + 4, 0);
    write32(table + 16 * i + 8, vectors[i]);
    write32(table + 16 * i + 12, 0);
  }
  write16(device->common + COMMON_CONFIG_VECTOR, 0);
  write16(device->common + COMMON_QUEUE_SELECT, 0);
  write16(device->common + COMMON_QUEUE_VECTOR, 1);
  if (read16(device->common + COMMON_CONFIG_VECTOR) == NO_VECTOR ||
      read16(device->common + COMMON_QUEUE_VECTOR) == NO_VECTOR) {
    fail("the device refuses its MSI-X vectors", NULL);
  }
}

/* INTx goes to I/O APIC pins 16 and up. The pin is not told anywhere simple (it is in the DSDT),
   so every one that PCI can use is routed here. */
static void setup_intx(struct virtio_device* device) {
  struct pci_address at = device->at;
  u32 index = device_index(device);
  pci_write(at, PCI_COMMAND, 2, pci_read(at, PCI_COMMAND, 2) & ~(u32)PCI_COMMAND_INTX_DISABLE);
  intx_watch(index, device->isr);
  for (u32 pin = 16; pin < 24; pin++) ioapic_route(pin, VECTOR_INTX + index, true);
}

void virtio_setup_irq(struct virtio_device* device, enum irq_mode mode) {
  u8 msix = pci_capability(device->at, PCI_CAPABILITY_MSIX, 0);
  if (msix != 0) {
    u32 control = pci_read(device->at, msix + 2, 2);
    pci_write(device->at, msix + 2, 2, control & ~0x8000u);
  }
  device->irq = mode;
  if (mode == IRQ_MSIX && msix == 0) fail("no MSI-X capability", NULL);
  if (mode == IRQ_MSIX) setup_msix(device, msix);
  if (mode == IRQ_INTX) setup_intx(device);
}

struct ring default_ring(const struct virtio_device* device) {
  u64 base = RINGS_BASE + device_index(device) * RING_AREA_SIZE;
  write16(device->common + COMMON_QUEUE_SELECT, 0);
  u16 size = read16(device->common + COMMON_QUEUE_SIZE);
  if (size > QUEUE_SIZE_MAX) size = QUEUE_SIZE_MAX;
  return (struct ring){.size = size, .desc = base, .avail = base + 0x1000, .used = base + 0x2000};
}

void virtio_setup_ring(struct virtio_device* device, const struct ring* ring) {
  u64 common = device->common;
  device->ring = *ring;
  write16(common + COMMON_QUEUE_SELECT, 0);
  write16(common + COMMON_QUEUE_SIZE, ring->size);
  u64 addresses[3] = {ring->desc, ring->avail, ring->used};
  for (int i = 0; i < 3; i++) {
    write32(common + COMMON_QUEUE_DESC + 8 * i, (u32)addresses[i]);
    write32(common + COMMON_QUEUE_DESC + 8 * i + 4, addresses[i] >> 32);
  }
  u16 offset = read16(common + COMMON_QUEUE_NOTIFY_OFF);
  device->ring.notify = device->notify + offset * device->notify_multiplier;
  write16(common + COMMON_QUEUE_ENABLE, 1);
}

void virtio_driver_ok(struct virtio_device* device) {
  write8(device->common + COMMON_STATUS,
         STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
}
