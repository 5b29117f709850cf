/*
 * From the PVH entry (32-bit protected mode, paging off, start_info in ebx) to long mode at CPL 3
 * in as few instructions as can be: a KVM without hardware virtualisation emulates CPL 0 and runs
 * CPL 3 natively. What CPL 3 can prepare by itself (more page tables, the IDT, the contents of the
 * TSS) it does, in main.c: all memory is user memory.
 */
#include "layout.h"

#define PAGE_TABLE 0x07             /* present, writable, user */
#define PAGE_2M 0x87

    /* ELF note of the PVH boot ABI: XEN_ELFNOTE_PHYS32_ENTRY */
    .section .note.pvh, "a", @note
    .align 4
    .long 4, 8, 18
    .asciz "Xen"
    .quad entry32

    .section .text.entry, "ax"
    .code32
    .globl entry32
entry32:
    movl %ebx, start_info_gpa
    movl $(pdpt + PAGE_TABLE), pml4
    movl $(low_pd + PAGE_TABLE), pdpt
    movl $PAGE_2M, low_pd
    movl $(PAGE_2M + 0x200000), low_pd + 8
    movl $0, 4 + pml4
    /* The other CPUs come here from trampoline.S. */
    .globl enter_long_mode
enter_long_mode:
    movl $pml4, %eax
    movl %eax, %cr3
    movl $0x20, %eax                /* CR4.PAE */
    movl %eax, %cr4
    movl $0xc0000080, %ecx          /* EFER.LME */
    movl $0x100, %eax
    xorl %edx, %edx
    wrmsr
    movl $0x80000011, %eax          /* CR0.PG, ET, PE */
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $KERNEL_CODE, $entry64

    .code64
entry64:
    lidt idt_pointer
    movl $1, %eax
    lock xaddl %eax, cpus_online
    testl %eax, %eax
    jnz secondary_cpu
    movl $kernel_stack_top, %esp
    movl $TSS_SELECTOR, %ecx
    ltr %cx
    pushq $USER_DATA
    pushq $user_stack_top
    pushq $0x2                      /* interrupts stay off until main.c has made the IDT */
    pushq $USER_CODE
    pushq $agent_main
    iretq

    .data
    .align 8
    .globl gdt, gdt_end
gdt:
    .quad 0
    .quad 0x00af9b000000ffff        /* 0x08: 64-bit code, CPL 0 */
    .quad 0x00cf93000000ffff        /* 0x10: data, CPL 0 */
    .quad 0x00cff3000000ffff        /* 0x18: data, CPL 3 */
    .quad 0x00affb000000ffff        /* 0x20: 64-bit code, CPL 3 */
    .quad tss_descriptor, 0         /* 0x28 */
    .quad 0x00cf9b000000ffff        /* 0x38: 32-bit code, for trampoline.S */
gdt_end:
    .globl gdt_pointer
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt
idt_pointer:
    .word 256 * 16 - 1
    .quad idt
    .globl start_info_gpa, cpus_online
start_info_gpa:
    .quad 0
cpus_online:
    .long 0

    .section .tables, "aw", @nobits
    .align 4096
    .globl pml4, pdpt, low_pd, idt, tss
pml4:   .skip 4096
pdpt:   .skip 4096
low_pd: .skip 4096
idt:    .skip 4096
tss:    .skip 104 + 8192 + 1        /* with an I/O bitmap of all ports */
    .align 16
    .skip 4096
    .globl kernel_stack_top
kernel_stack_top:
    .skip 32768
user_stack_top:
