/* A modern virtio device on PCI, driven by polling (virtio 1.3 §2.7, §4.1). */
#pragma once
#include "pci.h"
#include "types.h"

/* §2.1: device status */
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define STATUS_NEEDS_RESET 64
#define STATUS_FAILED 128

/* §6 and §5.15.3: features the agent knows what to do with */
#define F_ACPI_PXM (1UL << 0)
#define F_UNPLUGGED_INACCESSIBLE (1UL << 1)
#define F_INDIRECT_DESC (1UL << 28)
#define F_EVENT_IDX (1UL << 29)
#define F_VERSION_1 (1UL << 32)
#define F_KNOWN \
  (F_ACPI_PXM | F_UNPLUGGED_INACCESSIBLE | F_INDIRECT_DESC | F_EVENT_IDX | F_VERSION_1)

/* §4.1.4.3: common configuration */
#define COMMON_DEVICE_FEATURE_SELECT 0
#define COMMON_DEVICE_FEATURE 4
#define COMMON_DRIVER_FEATURE_SELECT 8
#define COMMON_DRIVER_FEATURE 12
#define COMMON_CONFIG_VECTOR 16
#define COMMON_NUM_QUEUES 18
#define COMMON_STATUS 20
#define COMMON_GENERATION 21
#define COMMON_QUEUE_SELECT 22
#define COMMON_QUEUE_SIZE 24
#define COMMON_QUEUE_VECTOR 26
#define COMMON_QUEUE_ENABLE 28
#define COMMON_QUEUE_NOTIFY_OFF 30
#define COMMON_QUEUE_DESC 32
#define COMMON_QUEUE_DRIVER 40
#define COMMON_QUEUE_DEVICE 48

#define DESC_NEXT 1
#define DESC_WRITE 2
#define DESC_INDIRECT 4

struct descriptor {
  u64 address;
  u32 length;
  u16 flags, next;
};

struct used_element {
  u32 id, length;
};

/* A split queue; the addresses are kept as numbers because tests put them anywhere. */
struct ring {
  u16 size;
  u64 desc, avail, used;
  u64 notify;              /* register */
  u16 avail_idx, used_idx; /* what the driver has made available, and has seen used */
};

enum irq_mode { IRQ_NONE, IRQ_MSIX, IRQ_INTX };

struct virtio_device {
  struct pci_address at;
  u16 type; /* §5 */
  u64 common, notify, isr, config;
  u32 notify_multiplier;
  u32 config_length;
  u8 pci_access; /* offset of the PCI configuration access capability, or 0 */
  u64 features;
  enum irq_mode irq;
  bool indirect;    /* send requests through an indirect table */
  struct ring ring; /* queue 0 */
};

extern struct virtio_device devices[];
extern u32 device_count;

/* virtio_setup.c: fills `devices` from PCI. */
void virtio_find(void);
/* Resets and negotiates; 0, or the text of what the device refused. */
const char* virtio_negotiate(struct virtio_device* device, u64 features);
u64 virtio_offered(struct virtio_device* device);
void virtio_setup_irq(struct virtio_device* device, enum irq_mode mode);
void virtio_setup_ring(struct virtio_device* device, const struct ring* ring);
void virtio_driver_ok(struct virtio_device* device);
struct ring default_ring(const struct virtio_device* device);
u32 device_index(const struct virtio_device* device);

/* virtio.c: the queue. */
u8 virtio_status(const struct virtio_device* device);
void set_descriptor(const struct ring* ring, u16 index, struct descriptor value);
u16 used_index(const struct ring* ring);
struct used_element used_entry(const struct ring* ring, u16 index);
/* Puts a head on the avail ring; the device sees it at once. */
void make_available(struct ring* ring, u16 head);
/* Notifies the device if it wants to know of what came since `old_idx` (§2.7.10). */
void kick_if_wanted(const struct virtio_device* device, u16 old_idx);
void kick(const struct ring* ring);
/* Should the device interrupt when it has used a buffer? Polling drivers say no. */
void want_used_interrupt(const struct virtio_device* device, bool wanted);

/*
 * Polls until the used index reaches `target`. false after `timeout_ms`, or when the device says
 * NEEDS_RESET meanwhile.
 */
bool wait_used(struct virtio_device* device, u16 target, u64 timeout_ms);

/* Time-stamp counts in a millisecond, measured once with the PIT. */
u64 tsc_per_ms(void);
