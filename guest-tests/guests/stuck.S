/*
 * A guest that cannot go on: an exception with no handler anywhere, so a triple fault on
 * hardware, and on a KVM that emulates this code a failed emulation.
 */
    .section .note.pvh, "a", @note
    .align 4
    .long 4, 8, 18
    .asciz "Xen"
    .quad entry32

    .section .text.entry, "ax"
    .code32
    .globl entry32
entry32:
    movl $0x5afe, %eax
    int3
1:  hlt
    jmp 1b
