/*
 * Where things are in guest memory, beside the image at 1 MiB. Needs 64 MiB of RAM.
 */
#pragma once

#define TRAMPOLINE_BASE 0x8000     /* real-mode start of the other CPUs; one page */
#define PAGE_TABLES_BASE 0x1000000 /* page directories made on demand */
#define PAGE_TABLES_END 0x2800000
#define SAMPLES_BASE 0x2800000 /* measurements, 8 bytes each */
#define SAMPLES_MAX 0x80000
#define RINGS_BASE 0x3000000 /* RING_AREA_SIZE per virtio device */
#define RING_AREA_SIZE 0x10000
#define SCRATCH_BASE 0x3800000 /* for the tests, to the end of RAM */

#define LAPIC_BASE 0xfee00000
#define IOAPIC_BASE 0xfec00000
#define BAR_WINDOW_BASE 0xc0000000 /* for BARs that nobody placed */

/* Selectors of the GDT in boot.S. */
#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_DATA 0x1b
#define USER_CODE 0x23
#define TSS_SELECTOR 0x28

/* Interrupt vectors. */
#define VECTOR_IRQ_FIRST 0x20
#define VECTOR_SERIAL 0x20
#define VECTOR_WAKE 0x21
#define VECTOR_CONFIG 0x30 /* + device: MSI-X configuration change */
#define VECTOR_QUEUE 0x38  /* + device: MSI-X queue */
#define VECTOR_INTX 0x40   /* + device: INTx */
#define VECTOR_IRQ_LAST 0x4f
#define VECTOR_SPURIOUS 0xff

#define MAX_DEVICES 8
#define MAX_CPUS 16
