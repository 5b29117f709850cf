/* IDT, local APIC, I/O APIC; counters that the CPL 0 handlers of traps.S keep. */
#pragma once
#include "types.h"

/* Fills TSS and IDT, turns the local APIC on, the 8259s off, and enables interrupts. */
void interrupts_init(void);

/* Sends an I/O APIC pin to `vector` on this CPU. */
void ioapic_route(u32 pin, u8 vector, bool level);

/* Fixed interrupt to another CPU, or INIT and SIPI by `command` (Intel SDM vol. 3 §11.6.1). */
void lapic_send(u32 apic_id, u32 command);

/* Interrupts taken so far, in all. */
u32 interrupts_seen(void);
u32 interrupts_of(u8 vector);

/* Non-maskable interrupts that a CPU has taken. The others can take them while they halt only. */
u32 nmis_of(u8 apic_id);

/* Halts until there were more interrupts than `seen`; returns at once when there were already. */
void wait_for_interrupt(u32 seen);

/* Runs `function` (in traps.S) at CPL 0. */
void call_cpl0(void (*function)(void), u64 argument);

/* CPUID as CPL 0 sees it: eax, ebx, ecx, edx into regs. */
void cpuid(u32 leaf, u32 subleaf, u32 regs[4]);

/* ISR bits that the handlers of VECTOR_INTX + device have read so far; `isr` is what they read. */
void intx_watch(u32 device, u64 isr_register);
u32 intx_take_isr_bits(u32 device);
