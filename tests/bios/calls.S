# A boot disk that calls the BIOS, and says on port E9 how each call went: "ok NAME" or "FAIL NAME". Its first sector loads the
# others (sectors 1 to 15) to 0:8000. Ends by a write of 0x10 to port F4.
        .code16
        .text
        .globl  _start
_start: ljmp    $0, $begin
begin:  xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x7c00, %sp
        cld
        mov     %dl, drive
        # Read by cylinder, head and sector: 15 sectors behind this one.
        mov     $0x020f, %ax
        mov     $0x0002, %cx
        mov     $0x00, %dh
        mov     $0x8000, %bx
        int     $0x13
        jc      1f
        cmpb    $15, %al
        jne     1f
        jmp     main
1:      mov     $loadfail, %si
        call    say
        hlt
loadfail: .asciz "FAIL load\n"

#include "check.S"
drive:  .byte   0
        .org    510
        .byte   0x55, 0xaa

        .section .main, "ax"
        .globl  main
main:   int     $0x12
        cmp     $639, %ax
        named   "base memory"
        int     $0x11
        and     $0x30, %ax
        cmp     $0x20, %ax
        named   "equipment"

        # E820 until its end: at least three ranges.
        xor     %ebx, %ebx
        xor     %bp, %bp
1:      mov     $0xe820, %eax
        mov     $0x534d4150, %edx
        mov     $20, %ecx
        mov     $buffer, %di
        int     $0x15
        jc      2f
        cmp     $0x534d4150, %eax
        jne     2f
        inc     %bp
        test    %ebx, %ebx
        jnz     1b
        cmp     $3, %bp
        jb      2f
        xor     %ax, %ax
2:      named   "memory map"
        mov     $0x88, %ah
        int     $0x15
        jc      3f
        cmp     $0x3c00, %ax
        setb    %al
        test    %al, %al
3:      named   "extended memory"
        mov     $0xc0, %ah
        int     $0x15
        jc      3f
        cmpb    $0xfc, %es:2(%bx)
3:      named   "configuration table"
        push    %ds
        pop     %es

        # A20: off, memory wraps; on, it does not.
        mov     $0x2400, %ax
        int     $0x15
        mov     $0xffff, %ax
        mov     %ax, %fs
        movw    $0x1234, 0x600
        mov     %fs:0x610, %ax
        cmp     $0x1234, %ax
        named   "A20 off"
        mov     $0x2401, %ax
        int     $0x15
        movw    $0x5678, 0x600
        mov     %fs:0x610, %ax
        cmp     $0x5678, %ax
        setne   %al
        cmp     $1, %al
        named   "A20 on"

        # EDD: version, parameters, reading; the second sector begins as this program's.
        mov     drive, %dl
        mov     $0x4100, %ax
        mov     $0x55aa, %bx
        int     $0x13
        jc      3f
        cmp     $0xaa55, %bx
3:      named   "EDD"
        movw    $30, buffer
        mov     $buffer, %si
        mov     drive, %dl
        mov     $0x48, %ah
        int     $0x13
        jc      3f
        cmpw    $512, buffer + 24
3:      named   "EDD parameters"
        mov     $packet, %si
        mov     drive, %dl
        mov     $0x42, %ah
        int     $0x13
        jc      3f
        mov     $main, %si
        mov     $buffer, %di
        mov     $256, %cx
        repe    cmpsw
3:      named   "EDD read"
        # Write sector 20, read it back.
        movl    $20, packet + 8
        movl    $0xcafebabe, buffer
        mov     $packet, %si
        mov     drive, %dl
        mov     $0x4300, %ax
        int     $0x13
        movl    $0, buffer
        mov     $packet, %si
        mov     drive, %dl
        mov     $0x42, %ah
        int     $0x13
        jc      3f
        cmpl    $0xcafebabe, buffer
3:      named   "EDD write"
        movl    $0x7fffffff, packet + 8
        mov     $packet, %si
        mov     drive, %dl
        mov     $0x42, %ah
        int     $0x13
        cmc
        jc      3f
        cmp     $4, %ah
3:      named   "EDD read behind the end"
        mov     $0x08, %ah
        mov     drive, %dl
        int     $0x13
        jc      3f
        and     $0x3f, %cl
        cmp     $63, %cl
3:      named   "drive parameters"
        push    %ds
        pop     %es
        mov     $0x15, %ah
        mov     drive, %dl
        int     $0x13
        jc      3f
        cmp     $3, %ah
3:      named   "drive type"
        mov     $0x02, %ah
        mov     $0x01, %al
        mov     $0x99, %dl
        int     $0x13
        cmc
        jc      3f
        cmp     $1, %ah
3:      named   "no such drive"

        # The block move: from the ROM to the buffer.
        movl    $0, buffer
        push    %ds
        pop     %es
        mov     $moves, %si
        mov     $2, %cx
        mov     $0x87, %ah
        int     $0x15
        jc      3f
        cmpb    $0xea, buffer
3:      named   "block move"

        # Time: ticks go on, a wait takes as long as it should.
        xor     %ah, %ah
        int     $0x1a
        mov     %dx, %bp
        mov     $0x86, %ah
        mov     $0x0003, %cx
        mov     $0x0d40, %dx
        int     $0x15
        jc      3f
        xor     %ah, %ah
        int     $0x1a
        sub     %bp, %dx
        sub     $2, %dx
        cmp     $4, %dx
        setb    %al
        cmp     $1, %al
3:      named   "ticks and wait"
        mov     $0x04, %ah
        int     $0x1a
        jc      3f
        cmp     $0x20, %ch
3:      named   "date"
        mov     $0xb101, %ax
        int     $0x1a
        jc      3f
        cmp     $0x20494350, %edx
3:      named   "PCI BIOS"
        mov     $0xb103, %ax
        mov     $0x030000, %ecx
        xor     %si, %si
        int     $0x1a
        jc      3f
        mov     $0xb108, %ax
        mov     $0x00, %di
        int     $0x1a
        jc      3f
        cmp     $0x34, %cl
3:      named   "PCI display"

        # The screen: text, graphics, VBE.
        mov     $0x0003, %ax
        int     $0x10
        mov     $0x0200, %ax
        xor     %bx, %bx
        mov     $0x0502, %dx
        int     $0x10
        mov     $0x0941, %ax
        mov     $0x001e, %bx
        mov     $3, %cx
        int     $0x10
        mov     $0x08, %ah
        int     $0x10
        cmp     $0x1e41, %ax
        named   "text: a character"
        mov     $0x0e42, %ax
        int     $0x10
        mov     $0xb800, %ax
        mov     %ax, %fs
        cmpw    $0x1e42, %fs:(5 * 80 + 2) * 2
        named   "text: teletype"
        mov     $0x0601, %ax
        mov     $0x07, %bh
        xor     %cx, %cx
        mov     $0x184f, %dx
        int     $0x10
        cmpw    $0x1e42, %fs:(4 * 80 + 2) * 2
        named   "text: scrolling"
        mov     $0x0012, %ax
        int     $0x10
        mov     $0x0c0b, %ax
        xor     %bx, %bx
        mov     $333, %cx
        mov     $222, %dx
        int     $0x10
        mov     $0x0d00, %ax
        int     $0x10
        cmp     $0x0b, %al
        named   "640x480: a dot"
        mov     $0x0013, %ax
        int     $0x10
        mov     $0x0c7b, %ax
        mov     $100, %cx
        mov     $50, %dx
        int     $0x10
        mov     $0xa000, %ax
        mov     %ax, %fs
        cmpb    $0x7b, %fs:50 * 320 + 100
        named   "320x200: a dot"
        mov     $0x0004, %ax
        int     $0x10
        mov     $0x0c02, %ax
        mov     $7, %cx
        mov     $3, %dx
        int     $0x10
        mov     $0x0d00, %ax
        int     $0x10
        cmp     $2, %al
        named   "CGA: a dot"
        movl    $0x32454256, buffer
        mov     $buffer, %di
        mov     $0x4f00, %ax
        int     $0x10
        cmp     $0x004f, %ax
        jne     3f
        cmpl    $0x41534556, buffer
3:      named   "VBE"
        mov     $0x4f01, %ax
        mov     $0x118, %cx
        mov     $buffer, %di
        int     $0x10
        cmp     $0x004f, %ax
        jne     3f
        cmpw    $1024, buffer + 18
3:      named   "VBE mode information"
        mov     $0x4f02, %ax
        mov     $0x4118, %bx
        int     $0x10
        cmp     $0x004f, %ax
        named   "VBE mode"
        # The display interface: its width.
        mov     $0x1ce, %dx
        mov     $1, %ax
        out     %ax, %dx
        inc     %dx
        in      %dx, %ax
        cmp     $1024, %ax
        named   "VBE width"
        mov     $0x4f03, %ax
        int     $0x10
        cmp     $0x4118, %bx
        named   "VBE mode again"
        mov     $0x4f15, %ax
        mov     $1, %bx
        xor     %dx, %dx
        mov     $buffer, %di
        int     $0x10
        cmp     $0x004f, %ax
        jne     3f
        cmpl    $0xffffff00, buffer
3:      named   "EDID"
        mov     $0x0003, %ax
        int     $0x10

        # Keys: none, then one that was put there.
        mov     $0x01, %ah
        int     $0x16
        named   "no key"
        mov     $0x05, %ah
        mov     $0x1e61, %cx
        int     $0x16
        mov     $0x10, %ah
        int     $0x16
        cmp     $0x1e61, %ax
        named   "a key"

        # Power management: it is there, connected once, on the mains, idle until the next interrupt.
        mov     $0x5300, %ax
        xor     %bx, %bx
        int     $0x15
        jc      3f
        cmp     $0x504d, %bx
3:      named   "APM"
        mov     $0x530a, %ax
        mov     $1, %bx
        int     $0x15
        cmc
        jc      3f
        cmp     $0x03, %ah
3:      named   "APM: not connected"
        mov     $0x5301, %ax
        xor     %bx, %bx
        int     $0x15
        jc      3f
        mov     $0x5305, %ax
        int     $0x15
        jc      3f
        mov     $0x530a, %ax
        mov     $1, %bx
        int     $0x15
        jc      3f
        cmp     $1, %bh
3:      named   "APM: power"

        # A byte gets its bit after a tenth of a second.
        movb    $0, buffer
        mov     $0x8300, %ax
        mov     $0x0001, %cx
        mov     $0x86a0, %dx
        mov     $buffer, %bx
        int     $0x15
        jc      3f
        cmpb    $0, buffer
        jne     3f
        mov     $10, %cx
2:      hlt
        testb   $0x80, buffer
        loopz   2b
        cmpb    $0x80, buffer
3:      named   "event wait"

        # The mouse: reset, a driver, and a movement that it is asked for.
        mov     $0xc205, %ax
        mov     $3, %bh
        int     $0x15
        jc      3f
        mov     $0xc201, %ax
        int     $0x15
        jc      3f
        cmp     $0x00aa, %bx
3:      named   "mouse: reset"
        mov     $0xc207, %ax
        xor     %bx, %bx
        int     $0x15
        mov     $0xc200, %ax
        mov     $1, %bh
        int     $0x15
        cmc
        jc      3f
        cmp     $5, %ah
3:      named   "mouse: no driver"
        mov     $0xc207, %ax
        mov     $moved, %bx
        int     $0x15
        jc      3f
        mov     $0xc202, %ax
        mov     $4, %bh
        int     $0x15
        jc      3f
        mov     $0xc200, %ax
        mov     $1, %bh
        int     $0x15
        jc      3f
        mov     $0xc206, %ax
        mov     $0, %bh
        int     $0x15
        jc      3f
        and     $0x20, %bl
        cmp     $0x20, %bl
        jne     3f
        cmp     $80, %dl
3:      named   "mouse: enabled"
        # "Read data": acknowledged, then a packet.
        cli
        mov     $0xd4, %al
        out     %al, $0x64
        mov     $0xeb, %al
        out     %al, $0x60
        in      $0x60, %al
        sti
        mov     $10, %cx
2:      hlt
        cmpw    $0, calls
        loopz   2b
        cmpw    $0x0008, status
        jne     3f
        cmpw    $1, calls
3:      named   "mouse: its driver is called"

        # Tables: the sum of each is zero.
        mov     $0xf000, %ax
        mov     %ax, %fs
        xor     %si, %si
1:      cmpl    $0x52495024, %fs:(%si)
        je      2f
        add     $16, %si
        jnz     1b
        stc
        jmp     3f
2:      mov     %fs:6(%si), %cx
        call    sum
3:      named   "$PIR"
        xor     %si, %si
1:      cmpl    $0x506e5024, %fs:(%si)
        je      2f
        add     $16, %si
        jnz     1b
        stc
        jmp     3f
2:      movzbw  %fs:5(%si), %cx
        push    %si
        call    sum
        pop     %si
        jnz     3f
        lcall   *%fs:13(%si)
        cmp     $0x82, %ax
3:      named   "$PnP"

        # To protected mode and back.
        mov     $descriptors, %si
        mov     $0x2820, %bx
        mov     $0x89, %ah
        int     $0x15
        jc      2f
        str     %ax
        mov     %cs, %ax
        cmp     $0x30, %ax
        jne     2f
        mov     %ds, %ax
        cmp     $0x18, %ax
        jne     2f
        # What is above the first megabyte can be reached.
        movl    $0x5ca1ab1e, %es:(0x10)
2:      mov     %cr0, %eax
        and     $~1, %eax
        mov     %eax, %cr0
        ljmp    $0, $1f
1:      mov     $0, %ax
        mov     %ax, %ds
        mov     %ax, %ss
        mov     $0xffff, %ax
        mov     %ax, %es
        lidt    vectors
        cmpl    $0x5ca1ab1e, %es:0x20
        clc
        named   "to protected mode"

        mov     $0x10, %eax
        mov     $0xf4, %dx
        out     %eax, %dx
        hlt

# Called with 0, Y, X and status behind the address to return to.
moved:  push    %bp
        mov     %sp, %bp
        push    %ax
        mov     12(%bp), %ax
        mov     %ax, %cs:status
        incw    %cs:calls
        pop     %ax
        pop     %bp
        lret
calls:  .word   0
status: .word   0

# The sum of CX bytes from FS:SI on; zero is set if it is 0.
sum:    xor     %al, %al
1:      add     %fs:(%si), %al
        inc     %si
        loop    1b
        test    %al, %al
        ret

        .balign 8
# GDT for INT 15h, AH = 89h: itself, the IDT, DS, ES (from 100000), SS, CS and one for the BIOS.
descriptors: .quad 0
        .word   0x3f, descriptors, 0, 0
        .word   0, 0, 0, 0
        .word   0xffff, 0, 0x9300, 0
        .word   0xffff, 0, 0x9310, 0
        .word   0xffff, 0, 0x9300, 0
        .word   0xffff, 0, 0x9b00, 0
        .quad   0
vectors: .word  0x3ff, 0, 0

        .balign 8
packet: .byte   16, 0
        .word   1, buffer, 0
        .quad   1
# GDT of the block move: two empty, from FFFF0, to the buffer, two for the BIOS.
moves:  .quad   0, 0
        .word   0xffff, 0xfff0
        .byte   0x0f, 0x93, 0, 0
        .word   0xffff, buffer
        .byte   0x00, 0x93, 0, 0
        .quad   0, 0
        .section .rodata
        .set    buffer, 0x6000
