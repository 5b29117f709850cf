/*
 * The shortest life: says so on the serial port with its first instructions, then powers off
 * through ACPI. For measuring the time from starting the VMM to the guest's first instruction.
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
    movw $0x3f8, %dx
    movl $message, %esi
1:  movb (%esi), %al
    outb %al, %dx
    incl %esi
    cmpb $'\n', %al
    jne 1b
    movw $0x604, %dx                /* PM1a control: SLP_EN with S5's type, 5 here and 0 in QEMU */
    movw $0x3400, %ax
    outw %ax, %dx
    movw $0x2000, %ax
    outw %ax, %dx
2:  cli
    hlt
    jmp 2b

message:
    .ascii "hello\n"
