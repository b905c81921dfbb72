# Included by the programs here: says on port E9 how a call went.
say:    lodsb
        test    %al, %al
        jz      1f
        outb    %al, $0xe9
        jmp     say
1:      ret

# Carry clear and zero set: ok. SI: name.
check:  pushf
        push    %ax
        push    %si
        mov     $fail, %si
        jc      1f
        jnz     1f
        mov     $ok, %si
1:      call    say
        pop     %si
        call    say
        mov     $line, %si
        call    say
        pop     %ax
        popf
        ret
ok:     .asciz "ok "
fail:   .asciz "FAIL "
line:   .asciz "\n"

        .macro  named name
        .pushsection .rodata
9:      .asciz  "\name"
        .popsection
        mov     $9b, %si
        call    check
        .endm
