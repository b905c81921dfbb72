/** What the runtime asks of the world around the CPUs: the board behind ports, MMIO and its MSRs, the clock, the code cache. */

/** Reads `size` (1, 2, 4) bytes of device memory at a physical address. */
@external("board", "mmioRead")
export declare function mmioRead(cpu: u32, physical: f64, size: u32): u32;
@external("board", "mmioRead64")
export declare function mmioRead64(cpu: u32, physical: f64): i64;
@external("board", "mmioWrite")
export declare function mmioWrite(cpu: u32, physical: f64, size: u32, value: u32): void;
@external("board", "mmioWrite64")
export declare function mmioWrite64(cpu: u32, physical: f64, value: i64): void;
@external("board", "portRead")
export declare function portRead(cpu: u32, port: u32, size: u32): u32;
@external("board", "portWrite")
export declare function portWrite(cpu: u32, port: u32, size: u32, value: u32): void;
/** MSRs of the board (APIC base, x2APIC, TSC deadline, kvmclock). One that does not exist, or a bad value, sets S_FAULT to #GP(0). */
@external("board", "msrRead")
export declare function boardMsrRead(cpu: u32, index: u32): i64;
@external("board", "msrWrite")
export declare function boardMsrWrite(cpu: u32, index: u32, value: i64): void;
/** Task priority (CR8, 0-15) of this CPU's local APIC. */
@external("board", "tprRead")
export declare function tprRead(cpu: u32): u32;
@external("board", "tprWrite")
export declare function tprWrite(cpu: u32, value: u32): void;
/** Nanoseconds (= TSC ticks) since power-on, exact for the instruction in S_RECORD. */
@external("board", "now")
export declare function now(cpu: u32): f64;
/** Random 64 bits (RDRAND). */
@external("board", "random")
export declare function random(cpu: u32): i64;
/** What the guest asks of its hypervisor; number and arguments are in its registers. */
@external("board", "hypercall")
export declare function hypercall(cpu: u32): i64;
/** Nothing behind this goes before what comes earlier, for the host's processor and its compiler. */
@external("order", "fence")
export declare function fullFence(): void;
/** RAM bytes at `host` (address in this memory) that hold decoded code were written (already done). */
@external("code", "written")
export declare function codeWritten(host: u32, length: u32): void;
/** Decodes the block at S_LOOKUP, whose first byte is at `host` in this memory (0: not in RAM, read at `physical`); gives its record, or 0 with S_FAULT set. `limit` other than 0: at most that many instructions, for one use. */
@external("code", "decode")
export declare function decode(cpu: u32, host: u32, physical: f64, limit: u32): u32;
