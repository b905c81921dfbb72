# A program that is started from the network, calls PXE, and says on port E9 how each call went: "ok NAME" or "FAIL NAME". The
# server has a file data.bin of BYTES bytes that add up to SUM. Ends by a write of 0x10 to port F4.
        .code16
        .text
        .globl  _start
_start: jmp     begin
#include "check.S"

# Calls function AX with the block at DI, by !PXE. AX and the block's status: both must say the same. Zero set: success.
pxe:    push    %ds
        push    %di
        push    %ax
        lcall   *entry
        add     $6, %sp
        cmp     $0, %ax
        setne   %al
        cmpw    $0, (%di)
        setne   %ah
        cmp     %al, %ah
        jne     1f
        test    %al, %al
1:      ret
        .macro  call_pxe function, block
        mov     $\function, %ax
        mov     $\block, %di
        call    pxe
        .endm

# Adds the CX bytes at ES:SI to EBX.
add:    jcxz    2f
        xor     %eax, %eax
1:      mov     %es:(%si), %al
        add     %eax, %ebx
        inc     %si
        loop    1b
2:      ret

begin:  mov     %sp, %bp
        les     4(%bp), %si
        # DS is 0.
        mov     %es:0x10(%si), %eax
        mov     %eax, entry
        cmpl    $0x45585021, %es:(%si)
        named   "!PXE on the stack"
        mov     $0x5650, %ax
        int     $0x1a
        jc      1f
        cmp     $0x564e, %ax
        jne     1f
        mov     %es:0x0a(%bx), %eax
        mov     %eax, old_entry
        cmpl    $0x4e455850, %es:(%bx)
1:      named   "INT 1Ah finds PXENV+"
        # All bytes of it add up to 0.
        xor     %ax, %ax
        movzbw  %es:8(%bx), %cx
1:      add     %es:(%bx), %al
        inc     %bx
        loop    1b
        test    %al, %al
        named   "checksum of PXENV+"

        call_pxe 0x71, cached
        jnz     1f
        les     cached + 6, %bx
        cmpl    $0x0f02000a, %es:16(%bx)
1:      named   "cached DHCPACK"

        call_pxe 0x25, fsize
        jnz     1f
        cmpl    $BYTES, fsize + 138
1:      named   "size of a file"

        call_pxe 0x20, open
        named   "opening a file"
        xor     %ebx, %ebx
        xor     %edx, %edx
2:      push    %ebx
        push    %edx
        call_pxe 0x22, read
        pop     %edx
        pop     %ebx
        jnz     1f
        push    %ds
        pop     %es
        mov     $0x9000, %si
        movzwl  read + 4, %ecx
        add     %ecx, %edx
        push    %cx
        call    add
        pop     %cx
        cmp     open + 140, %cx
        je      2b
        cmp     $BYTES, %edx
        jne     1f
        cmp     $SUM, %ebx
1:      named   "reading a file block by block"
        call_pxe 0x21, status
        named   "closing a file"
        call_pxe 0x21, status
        cmpw    $0x1a, status
        named   "closing it again"
        call_pxe 0x20, missing
        cmpw    $0x38, missing
        named   "a file that is not there"

        call_pxe 0x23, readfile
        jnz     1f
        cmpl    $BYTES, readfile + 130
        jne     1f
        # Two pieces: the segment's end lies between.
        xor     %ebx, %ebx
        mov     $0x2000, %ax
        mov     %ax, %es
        xor     %si, %si
        mov     $0x8000, %cx
        call    add
        mov     $0x2800, %ax
        mov     %ax, %es
        xor     %si, %si
        mov     $(BYTES - 0x8000), %cx
        call    add
        cmp     $SUM, %ebx
1:      named   "reading a whole file"
        movl    $16, readfile + 130
        call_pxe 0x23, readfile
        cmpw    $0x6c, readfile
        named   "a file longer than the buffer"

        # Before it is opened.
        call_pxe 0x33, write
        cmpw    $0x18, write
        named   "UDP that is not open"
        call_pxe 0x30, udpopen
        named   "opening UDP"
        call_pxe 0x33, write
        named   "sending a datagram"
        movl    $20000, tries
2:      decl    tries
        movw    $512, udpread + 14
        call_pxe 0x32, udpread
        jz      3f
        cmpl    $0, tries
        jne     2b
        or      $1, %ax
        jmp     1f
3:        # Block 1, from the server.
        cmpl    $0x01000300, 0x9000
        jne     1f
        cmpl    $0x0202000a, udpread + 2
1:      named   "getting a datagram"
        # By the older structure.
        push    %ds
        pop     %es
        mov     $status, %di
        mov     $0x31, %bx
        lcall   *old_entry
        test    %ax, %ax
        named   "closing UDP by PXENV+"

        call_pxe 0x0c, information
        jnz     1f
        cmpw    $6, information + 10
1:      named   "UNDI information"
        call_pxe 0x12, nictype
        jnz     1f
        cmpb    $2, nictype + 2
1:      named   "UNDI type of card"
        call_pxe 0x06, undiopen
        named   "opening UNDI"
        # Who has 10.0.2.2?
        mov     information + 12, %eax
        mov     %eax, arp + 8
        mov     information + 16, %ax
        mov     %ax, arp + 12
        call_pxe 0x08, transmit
        named   "sending a frame"
        # Until its answer is there: whether something has come, and then what.
        movl    $20000, tries
5:      decl    tries
        jz      4f
        movw    $1, isr + 2
        call_pxe 0x14, isr
        cmpw    $0, isr + 2
        jne     5b
        movw    $2, isr + 2
3:      call_pxe 0x14, isr
        jnz     1f
        cmpw    $0, isr + 2
        je      5b
        cmpw    $3, isr + 2
        mov     $3, %ax
        movw    $3, isr + 2
        jne     3b
        les     isr + 10, %bx
        # An answer of ARP.
        cmpl    $0x01000608, %es:12(%bx)
        jne     3b
        cmpw    $0x0200, %es:20(%bx)
        jne     3b
        cmp     %ax, %ax
        jmp     1f
4:      or      $1, %ax
1:      named   "getting a frame"
        call_pxe 0x07, status
        named   "closing UNDI"
        call_pxe 0x99, status
        cmpw    $2, status
        named   "no such function"
        call_pxe 0x70, status
        named   "unloading"
        mov     $0x10, %al
        outb    %al, $0xf4
1:      hlt
        jmp     1b

        .section .rodata
        .balign 4
entry:  .long   0
old_entry: .long 0
status: .fill   16
tries:  .long   0
cached: .word   0, 2, 0, 0, 0, 0
fsize:  .word   0
        .byte   10, 0, 2, 2, 0, 0, 0, 0
        .asciz  "data.bin"
        .org    fsize + 160
open:   .word   0
        .byte   10, 0, 2, 2, 0, 0, 0, 0
        .asciz  "data.bin"
        .org    open + 138
        .byte   0, 69
        .word   1024
        .org    open + 160
missing: .word  0
        .byte   10, 0, 2, 2, 0, 0, 0, 0
        .asciz  "missing"
        .org    missing + 138
        .byte   0, 69
        .word   512
        .org    missing + 160
read:   .word   0, 0, 0, 0x9000, 0
readfile: .word 0
        .asciz  "data.bin"
        .org    readfile + 130
        .long   0x20000, 0x20000
        .byte   10, 0, 2, 2
        .org    readfile + 160
udpopen: .word  0, 0, 0
write:  .word   0
        .byte   10, 0, 2, 2, 0, 0, 0, 0, 0x12, 0x34, 0, 69
        .word   request_end - request, request, 0
udpread: .word  0, 0, 0, 0, 0
        .byte   0, 0, 0x12, 0x34
        .word   512, 0x9000, 0
request: .byte  0, 1
        .asciz  "data.bin"
        .asciz  "octet"
request_end:
information: .fill 64
nictype: .fill  32
undiopen: .word 0, 0
        .fill   64
transmit: .word 0
        .byte   2, 1
        .word   0, 0, buffers, 0
        .fill   8
buffers: .word  arp_end - arp, arp, 0, 0
        .fill   64
arp:    .byte   0, 1, 8, 0, 6, 4, 0, 1
        .byte   0, 0, 0, 0, 0, 0, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2
arp_end:
isr:    .fill   32
