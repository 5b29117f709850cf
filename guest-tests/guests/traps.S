/*
 * What runs at CPL 0 after boot: as little as can be.
 *   exceptions   are recorded and continued at CPL 3, in exception_entry
 *   interrupts   are counted and acknowledged
 *   NMIs         are counted, for each CPU
 *   call_cpl0    calls a function here
 */
#include "layout.h"

    .text
    .code64

/* Vectors that push an error code, as a bit mask: 8, 10 to 14, 17, 21, 29, 30. */
#define HAS_ERROR_CODE 0x60227d00

    .align 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept 32
    .align 16
    .if !((HAS_ERROR_CODE >> vector) & 1)
    pushq $0
    .endif
    pushq $vector
    jmp exception_common
    .set vector, vector + 1
    .endr
    .rept VECTOR_IRQ_LAST + 1 - VECTOR_IRQ_FIRST
    .align 16
    pushq $vector
    jmp irq_common
    .set vector, vector + 1
    .endr

exception_common:
    popq trap_vector
    popq trap_error
    popq trap_rip
    popq trap_cs
    popq trap_rflags
    popq trap_rsp
    popq trap_ss
    movq %cr2, %rax
    movq %rax, trap_cr2
    pushq $USER_DATA
    pushq $exception_stack_top
    pushq trap_rflags
    pushq $USER_CODE
    pushq $exception_entry
    iretq

irq_common:
    pushq %rax
    movl 8(%rsp), %eax
    incl irq_counts(,%rax,4)
    incl irq_total
    cmpl $VECTOR_INTX, %eax
    jb 1f
    /* Level-triggered: reading the ISR register lowers the line (virtio 1.3 §4.1.4.5). */
    pushq %rcx
    movq intx_isr - VECTOR_INTX * 8(,%rax,8), %rcx
    movzbl (%rcx), %ecx
    orl %ecx, intx_isr_bits - VECTOR_INTX * 4(,%rax,4)
    popq %rcx
1:  movl $(LAPIC_BASE + 0xb0), %eax /* EOI */
    movl $0, (%rax)
    popq %rax
    addq $8, %rsp
    iretq

    .globl spurious_stub
spurious_stub:
    iretq

/* Comes at any time, also into the handlers above: takes from them no more than a little stack. */
    .globl nmi_stub
nmi_stub:
    pushq %rax
    movl $(LAPIC_BASE + 0x20), %eax /* ID */
    movl (%rax), %eax
    shrl $24, %eax
    incl nmi_counts(,%rax,4)
    popq %rax
    iretq

/*
 * void call_cpl0(void (*function)(void), u64 argument): runs `function` at CPL 0.
 * By an undefined instruction: a KVM without hardware virtualisation does not do `int n` at CPL 3.
 */
    .globl call_cpl0, undefined_stub
call_cpl0:
    ud2
after_ud2:
    ret

undefined_stub:
    cmpq $call_cpl0, (%rsp)
    jne 1f
    movq $after_ud2, (%rsp)
    call *%rdi
    iretq
1:  pushq $0
    pushq $6
    jmp exception_common

/* Called at CPL 0: the caller goes on with interrupts enabled. */
    .globl cpl0_enable_interrupts
cpl0_enable_interrupts:
    orl $0x200, 24(%rsp)            /* return address, rip, cs, rflags */
    ret

/* Called at CPL 0 with the number of interrupts already seen in rsi: halts unless there were more. */
    .globl cpl0_wait
cpl0_wait:
    cmpl irq_total, %esi
    jne 1f
    sti
    hlt
    cli
1:  ret

/* Called at CPL 0: cpuid_regs = eax, ebx, ecx, edx for the leaf and subleaf found there. */
    .globl cpl0_cpuid
cpl0_cpuid:
    pushq %rbx
    movl cpuid_regs, %eax
    movl cpuid_regs + 8, %ecx
    cpuid
    movl %eax, cpuid_regs
    movl %ebx, cpuid_regs + 4
    movl %ecx, cpuid_regs + 8
    movl %edx, cpuid_regs + 12
    popq %rbx
    ret

/* Called at CPL 0: a fault with no handler to take it. */
    .globl cpl0_triple_fault
cpl0_triple_fault:
    lidt no_idt
    ud2

/* int save_point(u64 point[8]); void resume_point(u64 point[8]): setjmp and longjmp. */
    .globl save_point, resume_point
save_point:
    movq %rbx, (%rdi)
    movq %rbp, 8(%rdi)
    movq %r12, 16(%rdi)
    movq %r13, 24(%rdi)
    movq %r14, 32(%rdi)
    movq %r15, 40(%rdi)
    leaq 8(%rsp), %rax
    movq %rax, 48(%rdi)
    movq (%rsp), %rax
    movq %rax, 56(%rdi)
    xorl %eax, %eax
    ret
resume_point:
    movq (%rdi), %rbx
    movq 8(%rdi), %rbp
    movq 16(%rdi), %r12
    movq 24(%rdi), %r13
    movq 32(%rdi), %r14
    movq 40(%rdi), %r15
    movq 48(%rdi), %rsp
    movl $1, %eax
    jmp *56(%rdi)

    .data
no_idt:
    .word 0
    .quad 0

    .bss
    .align 8
    .globl trap_vector, trap_error, trap_rip, trap_cr2
trap_vector: .skip 8
trap_error: .skip 8
trap_rip: .skip 8
trap_cs: .skip 8
trap_rflags: .skip 8
trap_rsp: .skip 8
trap_ss: .skip 8
trap_cr2: .skip 8
    .globl irq_counts, irq_total, nmi_counts, intx_isr, intx_isr_bits, cpuid_regs
irq_counts: .skip 4 * 256
intx_isr: .skip 8 * (VECTOR_IRQ_LAST + 1 - VECTOR_INTX)
intx_isr_bits: .skip 4 * (VECTOR_IRQ_LAST + 1 - VECTOR_INTX)
irq_total: .skip 4
nmi_counts: .skip 4 * 256
cpuid_regs: .skip 16
    .align 16
    .skip 8192
exception_stack_top:
