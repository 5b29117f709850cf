/*
 * Where the other CPUs start: real mode at TRAMPOLINE_BASE, then boot.S brings them to long mode
 * and they halt here until there is work.
 */
#include "layout.h"

    .text
    .code16
    .globl trampoline, trampoline_end
trampoline:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl TRAMPOLINE_BASE + 1f - trampoline
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x38, $protected_mode
1:  .word 0x3f
    .long gdt
trampoline_end:

    .code32
protected_mode:
    movl $KERNEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    jmp enter_long_mode

    .code64
/* eax: how many CPUs came before. */
    .globl secondary_cpu
secondary_cpu:
    shll $12, %eax
    leal cpu_stacks(%eax), %esp
    movl $(LAPIC_BASE + 0xf0), %eax
    movl $(0x100 | VECTOR_SPURIOUS), (%rax)
1:  sti
    hlt
    cli
    cmpq $0, smp_job_address
    je 1b
    /* For good: CPL 3, interrupts off, no way back. */
    pushq $USER_DATA
    leaq -2048(%rsp), %rax
    pushq %rax
    pushq $0x2
    pushq $USER_CODE
    pushq $smp_worker
    iretq

    .bss
    .align 4096
cpu_stacks:
    .skip 4096 * MAX_CPUS
