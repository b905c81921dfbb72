/**
 * Where things are in the one shared memory. Plain numbers only: this file is compiled by TypeScript and by
 * AssemblyScript both. All `S_` offsets are from the start of a CPU's block ("cpu" pointer).
 *
 *   0        runtime's constant data (below 1 MiB)
 *   GLOBAL   what all CPUs of the machine share
 *   CPU_BASE CPU blocks, CPU_BYTES each; then page attributes, decoded code, guest RAM (addresses in GLOBAL)
 */
export const GLOBAL = 0x100000;
export const CPU_BASE = 0x200000;
export const CPU_BYTES = 0x480000;

// ---- GLOBAL (absolute addresses)
/** u32: address of guest physical 0 in this memory. */
export const G_RAM = 0x100000;
/** u32: bytes of RAM below 4 GiB (from physical 0) and from 4 GiB up. RAM above lies behind RAM below in this memory. */
export const G_LOW_BYTES = 0x100004;
export const G_HIGH_BYTES = 0x100008;
/** u32: address of the page attributes, PAGE_BYTES per RAM page in memory order (below 4 GiB, then above, then windows): u32 PAGE_ bits, u32 mask of the 128-byte chunks that hold decoded code, u32 stores beside that code, u32 how many of them to bear (0: the fewest). */
export const G_PAGES = 0x10000c;
/** u32: number of CPUs. */
export const G_CPUS = 0x100010;
/** u32: bit 20 clear masks A20 off: physical address is and-ed with this | ~0x100000. All ones: A20 on. */
export const G_A20 = 0x100014;

/** u32: address and mask (entries - 1) of the table of decoded blocks, BLOCK_ENTRY_BYTES each: u32 address of the code byte, u32 mode, u32 record, u32 unused. */
export const G_BLOCKS = 0x100018;
export const G_BLOCKS_MASK = 0x10001c;
export const BLOCK_ENTRY_BYTES = 16;
/** f64: nanoseconds of the host's clock at power-on, for threads that look at the time themselves. */
export const G_CLOCK_ORIGIN = 0x100020;
/** u32: pointer of the CPU that the machine's own thread runs now; 0: it does other things, and looks for requests soon; HOME_SLEEPS: it waits for an event. */
export const G_HOME = 0x100028;
export const HOME_SLEEPS = 1;
/** u32: 1: the other threads shall stop between instructions (mailbox.ts). */
export const G_STOP = 0x10002c;
/** i32, waited for: changes whenever a CPU may have become able to run, or G_STOP changed. */
export const G_WORK = 0x100030;
/** u32: 1 while a CPU does a CMPXCHG16B. */
export const G_LOCK = 0x100034;
/** u32: 1: the host does not keep the order of memory that x86 has, so accesses to guest memory see to it (docs/cpus.md, "Memory order"). */
export const G_ORDERED = 0x1000c0;
/** u32: for how many instructions the time-stamp counter is reckoned before the clock is read anew (runtime/tsc.ts); 0: it is read each time. */
export const G_TSC_STEPS = 0x1000c4;
/** u32: percent of a host core that the machine may use, 0: all; i64: nanoseconds of the machine's clock when its next turn may begin (vm/cpu-cap.ts). */
export const G_CAP = 0x100038;
export const G_CAP_NEXT = 0x100040;
/** i64: nanoseconds that turns were paid for so far. */
export const G_CAP_PAID = 0x100048;
/** Memory that is no RAM of the guest's but is accessed as such (video memory, flash), WINDOWS of WINDOW_BYTES: i64 guest physical address; u32 bytes (0: there is none now); u32 address in this memory, behind all RAM. */
export const G_WINDOWS = 0x100050;
export const WINDOWS = 3;
export const WINDOW_BYTES = 16;
/** i32: lock of what is decoded (shared-lock.ts). */
export const G_CODE_LOCK = 0x100080;
/** u32: where the next records of decoded code go, and the end of the room for them. */
export const G_ARENA_NEXT = 0x100084;
export const G_ARENA_END = 0x100088;
/** u32: entries of the table of blocks that are in use, stale ones included. */
export const G_BLOCKS_USED = 0x10008c;
/** u32: executions after which a block counts as hot; 0: never. */
export const G_HEAT = 0x100090;
/** u32: counts periods of heat (translator.ts). */
export const G_PERIOD = 0x1000c8;
/** u32: the block that was decoded last, chained by B_CHAIN to those before it that the machine's thread has not seen yet. */
export const G_NEW_BLOCKS = 0x100094;
/** f64: instructions decoded so far. */
export const G_DECODED = 0x100098;
/** u32: how many modules of regions the machine's thread has sent to the others. */
export const G_MODULES = 0x1000a0;
/** Mailboxes of the threads beside the machine's own, MAILBOX_BYTES each (mailbox.ts). */
export const G_MAILBOXES = 0x101000;
export const MAILBOX_BYTES = 0x800;

// ---- page attributes
export const PAGE_BYTES = 16;
/** This page holds decoded code: stores to it take the slow path. */
export const PAGE_CODE = 1;
/** Not RAM for the guest: VGA window; accesses go to the MMIO bus. */
export const PAGE_MMIO = 2;
/** Writes are dropped (ROM). */
export const PAGE_ROM = 4;

// ---- CPU block
/** 16 general registers of 8 bytes: RAX RCX RDX RBX RSP RBP RSI RDI R8..R15. */
export const S_GPR = 0x000;
/** Always zero: base or index "none". */
export const S_ZERO = 0x080;
/** i64 instruction pointer (offset in CS); valid whenever a helper named as a transfer runs, and between runs. */
export const S_RIP = 0x088;
/** i64: instruction pointer of the first byte of the current code page, and that + 0x10000. */
export const S_PAGE_BASE = 0x090;
export const S_PAGE_BASE_FAR = 0x098;
/**
 * Arithmetic flags, in a form that is quick to make and to test:
 * ZF = (FLAG_Z == 0); SF = (FLAG_S < 0); PF = even parity of the low byte of FLAG_S;
 * FLAG_C holds carries out of each bit, moved so that CF is bit 63 and OF is bit 63 xor bit 62; AF is bit 3.
 */
export const S_FLAG_Z = 0x0a0;
export const S_FLAG_S = 0x0a8;
export const S_FLAG_C = 0x0b0;
/** u32: EFLAGS without the six arithmetic flags (those bits are zero here); bit 1 set. */
export const S_EFLAGS = 0x0b8;
/** u32: current privilege level. */
export const S_CPL = 0x0bc;
/** u32: MODE_ bits of the code being run, see below. */
export const S_MODE = 0x0c0;
/** u32: which of the three TLB pairs is in use, an AS_ number. */
export const S_MMU = 0x0c4;
/** u32: address of the read / write TLB in use. An always-empty one while accesses must all be checked (alignment check). */
export const S_TLB_READ = 0x0c8;
export const S_TLB_WRITE = 0x0cc;
/** u32: fault raised by a helper: 0 none, else FAULT_VALID | vector | FAULT_HAS_ERROR; the error code beside it. */
export const S_FAULT = 0x0d0;
export const S_FAULT_ERROR = 0x0d4;
/** i64: address for CR2 of a page fault that was raised and not yet delivered. */
export const S_FAULT_ADDRESS = 0x0d8;
/** i32: address of the decoded record being executed, stored before slow paths: tells the exact instruction. */
export const S_RECORD = 0x0e0;
/** i32, atomic: PENDING_ bits that make the CPU stop at the next block. */
export const S_PENDING = 0x0e4;
/** i64: instructions retired up to the end of the current budget: retired = S_RETIRED_END - S_BUDGET - rest of the block. */
export const S_RETIRED_END = 0x0e8;
/** i64: instructions left of the budget, counted down a block at a time. */
export const S_BUDGET = 0x0f0;
/** i64: value of `retired` for which interrupts are inhibited (after STI, MOV SS); -1 none. */
export const S_SHADOW = 0x0f8;

/** Segment registers, 32 bytes each: ES CS SS DS FS GS LDTR TR. */
export const S_SEG = 0x100;
export const SEG_BYTES = 32;
/** u32 selector; u32 attributes: descriptor bits 40-55 at bits 0-15 (type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15), SEG_NULL; i64 base; i64 limit in bytes, scaled. */
export const SEG_SELECTOR = 0;
export const SEG_ATTR = 4;
export const SEG_BASE = 8;
export const SEG_LIMIT = 16;
/** Attribute bit: loaded with a null selector, unusable. */
export const SEG_NULL = 0x10000;
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;
export const LDTR = 6;
export const TR = 7;

/** i64 base, u32 limit (16 bits). */
export const S_GDTR = 0x200;
export const S_IDTR = 0x210;
export const S_CR0 = 0x220;
export const S_CR2 = 0x228;
export const S_CR3 = 0x230;
export const S_CR4 = 0x238;
export const S_EFER = 0x240;
export const S_XCR0 = 0x248;
/** DR0-3, (4, 5 unused), DR6, DR7: 8 bytes each. */
export const S_DR = 0x250;

// MSRs, i64 each
export const S_STAR = 0x290;
export const S_LSTAR = 0x298;
export const S_CSTAR = 0x2a0;
export const S_SFMASK = 0x2a8;
export const S_KERNEL_GS_BASE = 0x2b0;
export const S_SYSENTER_CS = 0x2b8;
export const S_SYSENTER_ESP = 0x2c0;
export const S_SYSENTER_EIP = 0x2c8;
export const S_PAT = 0x2d0;
export const S_TSC_AUX = 0x2d8;
/** i64: guest TSC = clock + this. */
export const S_TSC_OFFSET = 0x2e0;
export const S_MISC_ENABLE = 0x2e8;
export const S_XSS = 0x2f0;
export const S_DEBUGCTL = 0x2f8;
/** MTRR: deftype, 8 pairs of variable base and mask, 11 fixed. */
export const S_MTRR_DEFTYPE = 0x300;
export const S_MTRR_VARIABLE = 0x308;
export const S_MTRR_FIXED = 0x388;
/** Machine check: MCG_STATUS, MCG_CTL, then 4 banks of CTL, STATUS, ADDR, MISC. */
export const S_MCG_STATUS = 0x3e0;
export const S_MCG_CTL = 0x3e8;
export const S_MC_BANKS = 0x3f0;
export const MC_BANKS = 4;

// x87, SSE
/** 8 physical registers R0-R7 of 16 bytes: u64 significand (MMi is the same 64 bits), u16 sign and exponent. */
export const S_FPR = 0x480;
export const S_FCW = 0x500;
export const S_FSW = 0x504;
/** u32: full tag word, two bits per physical register: 00 valid, 01 zero, 10 special, 11 empty. */
export const S_FTW = 0x508;
/** u32: last x87 opcode (11 bits). */
export const S_FOP = 0x50c;
/** i64: last x87 instruction and data pointers (offsets), u32 selectors. */
export const S_FIP = 0x510;
export const S_FDP = 0x518;
export const S_FCS = 0x520;
export const S_FDS = 0x524;
export const S_MXCSR = 0x528;
/** u32: 1 while MONITOR is armed. */
export const S_MONITOR = 0x52c;
/** 8 temporary 16-byte slots for operands that helpers take by slot. S_TEMP + 0 .. 3 belong to the binder (operand number). */
export const S_TEMP = 0x540;
/** 32 vector registers of 64 bytes (room for ZMM); XMMn is the low 16 bytes of each. */
export const S_XMM = 0x600;
export const XMM_BYTES = 64;

// run state
/** u32: RUN_ state: running, halted, waiting for SIPI, shut down. */
export const S_RUN = 0xe00;
export const RUN_RUNNING = 0;
export const RUN_HALTED = 1;
export const RUN_WAIT_SIPI = 2;
export const RUN_SHUTDOWN = 3;
/** i32: vector of the startup IPI that came for this CPU while it waits; -1 none. */
export const S_STARTUP = 0xe0c;
/** u32: number of this CPU; 0 is the bootstrap processor. */
export const S_INDEX = 0xe04;
/** u32: NMI blocked until IRET. */
export const S_NMI_BLOCKED = 0xe08;
/** u32: physical page of the code being run | 1 (crossing information is in the block), for code-write checks. */
export const S_CODE_PAGE = 0xe10;
/** u32: 1 when RIP was set by a transfer and the engine must look the code up (interpreter's own use). */
export const S_EXIT = 0xe14;
/** i64: linear address of the last block looked up (interpreter's own use). */
export const S_LOOKUP = 0xe18;
/** u32: vector the exception delivery is at work on, for double-fault rules; -1 none. */
export const S_DELIVERING = 0xe20;
/** u32: bits of CPU_ features of the CPU model that the runtime asks for; leaf tables lie in S_CPUID. */
export const S_FEATURES = 0xe24;
/** u32: DR7-armed data or I/O breakpoints exist: memory of those pages is not put into the TLB. */
export const S_WATCH = 0xe28;
/** u32: DR6 bits of data breakpoints hit by the current instruction, delivered as trap after it. */
export const S_WATCH_HIT = 0xe2c;
/** i64: MSR APIC_BASE as the board last said, for the page walk and CPUID (x2APIC, enable). */
export const S_APIC_BASE = 0xe30;
/** u32: PKRU. */
export const S_PKRU = 0xe38;
/** u32: set by STI / MOV SS / POP SS helpers; the engine turns it into S_SHADOW at the end of the instruction: 1 STI, 2 SS. */
export const S_SHADOW_NEXT = 0xe3c;
/** i64: bit (linear >> 30) & 63 set: there may be entries of pages of 1 GiB there. */
export const S_TLB_HUGE = 0xe78;
/** Scratch of the transcendental instructions: 9 numbers of 24 bytes (wide.ts). */
export const S_WIDE = 0xf20;
/** u32: the x87 value just made is not to be stored (an unmasked exception). */
export const S_FPU_SKIP = 0xf18;
/** i64: remainder of the last division, for the definition of DIV. */
export const S_REMAINDER = 0xf10;
/** u32: interrupt lines of this CPU: LINE_INTR while the local APIC has a deliverable interrupt, LINE_NMI while an NMI is latched. */
export const S_LINE = 0xf00;
export const LINE_INTR = 1;
export const LINE_NMI = 2;
/** u32: address of the link field that the next lookup may fill, or 0 (interpreter's own use). */
export const S_LINK_FROM = 0xf04;
/** i64 each, for the statistics: faults delivered, interrupts taken, halts. */
export const S_FAULT_COUNT = 0xf08;
export const S_INTERRUPT_COUNT = 0xec8;
export const S_HALT_COUNT = 0xed0;
/** i32, atomic: 0, or 1 + the number of the thread that runs this CPU now. */
export const S_OWNER = 0xed8;
/** i32: what was posted of the CPU to the machine's thread and is not done yet; u32: number of the thread that did (mailbox.ts). */
export const S_POSTS = 0x19c0;
export const S_POSTER = 0x19c4;
/** i64 each: what the clock showed when it was last read, instructions retired then, up to how many it holds (0: it does not); what was last made of it. */
export const S_CLOCK = 0x19c8;
export const S_CLOCK_RETIRED = 0x19d0;
export const S_CLOCK_UNTIL = 0x19d8;
export const S_CLOCK_LAST = 0x19e0;
/** 16 bytes that translated code reads from two pages. */
export const S_ACROSS = 0x19f0;
/** u32: 1: the CPU was kicked: its halt, or the next one, ends at once. */
export const S_KICKED = 0xee0;
/** u32: address of the guest's struct kvm_steal_time for this CPU, 0: it has none; i64: since when the CPU could run and was not let, 0: it was. */
export const S_STEAL_AREA = 0xee4;
export const S_STEAL_SINCE = 0xee8;
/** u32: PAUSE instructions until the CPU's turn ends, if others wait for theirs. */
export const S_PAUSES = 0xedc;
/** u32 count and 64 entries of 32 bytes: CPUID leaves: leaf, subleaf (or -1 any), eax, ebx, ecx, edx. Written from the CPU model. */
export const S_CPUID_COUNT = 0xe80;
export const S_CPUID = 0x1000;
/**
 * u32: FLAGS_ kind: how the three flag words are to be read. FLAGS_WORDS whenever anything but translated code runs. The
 * others leave the work to who needs it: S_FLAG_S = a, S_FLAG_C = b, S_FLAG_Z = result of an addition or subtraction.
 */
export const S_FLAG_KIND = 0xe88;
export const FLAGS_WORDS = 0;
/** FLAGS_SUB + 0, 1, 2, 3: of 8, 16, 32, 64 bits. */
export const FLAGS_SUB = 1;
export const FLAGS_ADD = 5;
/** i64: instructions retired by translated code, for the statistics. */
export const S_TRANSLATED = 0xe90;
/** i64 each: base and limit of the code segment for which the jump cache holds. */
export const S_JUMP_SEGMENT_BASE = 0xe98;
export const S_JUMP_SEGMENT_LIMIT = 0xea0;
/** u32: bit n set: segment register n (FS, GS) may be read and written at every 32-bit offset. */
export const S_OPEN_SEGMENTS = 0xea8;
/**
 * i64 each: what entries of the jump cache (their low 32 bits) and call sites were filled under: MODE bits and a generation
 * that flushes raise. Code in global pages has the second, which a flush that keeps those leaves.
 */
export const S_JUMP_KEY = 0xeb0;
export const S_GLOBAL_KEY = 0xeb8;
/** 1024 bits: bit n set: code was looked up in a linear page with these low 10 bits of its number, since both generations were raised last. */
export const S_CODE_PAGES = 0x1800;
export const CODE_PAGES_BYTES = 128;
/** Registers of the CPU's local APIC (machine/interrupts/apic-registers.ts). */
export const S_APIC = 0x1900;
/** Records of a block that is used once, to stop at an exact instruction. */
export const S_SCRATCH = 0x2000;
export const CPUID_BYTES = 32;

/** Code TLB: 3 x CODE_TLB_ENTRIES x 16 bytes {i64 linear page or -1, i64 physical page | global bit 0, large page bits 2, 3}. */
export const S_CODE_TLB = 0x10000;
export const CODE_TLB_ENTRIES = 1024;
/** 4096 bits, by address (tlb.ts): there may be entries of 2 or 4 MiB pages; INVLPG then drops all of these. */
export const S_TLB_LARGE = 0x1c000;
export const TLB_LARGE_BYTES = 0x200;
/** TLB_GROUPS bits for each of the six TLBs, then those of the code TLB: bit n set: the entries of group n may be in use. */
export const S_TLB_FILLED = 0x1c200;
/** Entries of pages that are not global, which a change of CR3 drops: u32 how many, then u32 offsets from the CPU. More than fit: all TLBs are looked at. */
export const S_TLB_LOCAL = 0x20000;
export const MOST_TLB_LOCAL = 0x7fff;

// TLBs: 3 (S_MMU) x {read, write} x TLB_ENTRIES x 16 bytes {i64 tag = linear page or -1 | ..., u32 addend, u32 TLB_ flags}
export const TLB_ENTRIES = 16384;
export const TLB_ENTRY_BYTES = 16;
/** (linear >> 8) & TLB_INDEX_MASK is the offset of the entry. Entry matches if ((tag ^ (linear + size - 1)) & ~0xfff) == 0; host address = (i32)linear + addend. Empty: a tag that is not canonical, has the index bits of another entry, and 0xfff (see tlb.ts). */
export const TLB_BYTES = TLB_ENTRIES * TLB_ENTRY_BYTES;
export const TLB_INDEX_MASK = TLB_BYTES - TLB_ENTRY_BYTES;
/**
 * Each linear page has two places: that of its index, and the one at this offset from it (exclusive or, also of the entry's
 * address: TLBs and CPU blocks lie at multiples of TLB_BYTES). What is put into the first moves what was there to the other.
 */
export const TLB_OTHER = TLB_BYTES / 2;
export const S_TLB = 0x40000;
/** Flags in the entry: page is global; (in a read entry) stores are allowed too and the dirty bit is set; 4, 8: a larger page (WALK_ of walk.ts). */
export const TLB_GLOBAL = 1;
export const TLB_DIRTY = 2;
/** Entries are counted as filled in groups of this many bytes, see S_TLB_FILLED. */
export const TLB_GROUP_BYTES = 512;
export const TLB_GROUPS = TLB_BYTES / TLB_GROUP_BYTES;
/** TLB_BYTES that stay empty. */
export const S_TLB_NONE = 0x1c0000;
/** Jump cache: JUMP_ENTRIES x 16 bytes {i64 rip, u32 key, u32 record}. */
export const S_JUMPS = 0x200000;
export const JUMP_ENTRIES = 16384;
/** An entry's second place is at its address ^ this. */
export const JUMP_OTHER = 16;
/** What translated code knows of its call sites and neighbouring pages, for this CPU: SITE_ and NEIGHBOUR_ records (interpreter/record.ts). */
export const S_SITES = 0x240000;
export const SITES_BYTES = 0x200000;
/** u32 for each entry of the jump cache: B_REGION and B_ENTRY of its record, if translated code has come by it; else 0. */
export const S_JUMP_REGIONS = 0x440000;
export const JUMP_REGIONS_BYTES = JUMP_ENTRIES * 4;

// ---- whose access it is: user; supervisor that may not touch user pages (SMAP); supervisor
export const AS_USER = 0;
export const AS_SUPERVISOR_SMAP = 1;
export const AS_SUPERVISOR = 2;

// ---- MODE bits: what a decoded block assumed
export const MODE_CPL3 = 1;
/** Default operand/address size of the code segment is 32. */
export const MODE_CS32 = 2;
/** 64-bit code. */
export const MODE_LONG = 4;
/** Stack size is 32 (SS.B) (64 in 64-bit mode). */
export const MODE_SS32 = 8;
/** ES, DS, SS are flat (base 0, limit 4 GiB, writable, expand up) and CS is flat: 32-bit addresses need no check. */
export const MODE_FLAT = 16;
/** Protected mode (not real, not v8086). */
export const MODE_PROTECTED = 32;
export const MODE_VM86 = 64;
/** EFER.LMA (64-bit or compatibility mode). */
export const MODE_LMA = 128;
/** CR0.EM or .TS set or CR4.OSFXSR clear...: x87/SSE instructions must check (bit set when any check could fail). */
export const MODE_FPU_CHECK = 256;
/** CPL 3, CR0.AM and EFLAGS.AC: alignment is checked, and the TLB in use is an empty one. */
export const MODE_ALIGNMENT_CHECK = 512;

// ---- PENDING bits
export const PENDING_INTERRUPT = 1;
export const PENDING_NMI = 2;
export const PENDING_INIT = 4;
export const PENDING_SMI = 8;
/** The run loop wants control: stop, pause, event due. */
export const PENDING_EXIT = 16;
/** Set while TF, code breakpoints or a shadow make the engine step one instruction at a time, or a HLT/shutdown happened. */
export const PENDING_STEP = 32;
/** A debug trap (#DB: S_WATCH_HIT or single-step) is due after this instruction. */
export const PENDING_TRAP = 64;
/** TLB or code was invalidated by another CPU. */
export const PENDING_FLUSH = 128;
/** The same physical addresses show other memory. */
export const PENDING_TLB = 256;

// ---- faults
export const FAULT_VALID = 0x80000000;
export const FAULT_HAS_ERROR = 0x100;
/** The #GP is for an address that is not canonical: #SS if the stack segment was used. */
export const FAULT_ADDRESS = 0x200;

// ---- access kinds of the MMU
export const ACCESS_READ = 0;
export const ACCESS_WRITE = 1;
export const ACCESS_EXECUTE = 2;

// ---- EFLAGS bits (SDM vol. 1, 3.4.3)
export const EFLAGS_TF = 0x100;
export const EFLAGS_IF = 0x200;
export const EFLAGS_RF = 0x10000;
export const EFLAGS_AC = 0x40000;
/** Physical address bits that the CPU has (CPUID 80000008H). */
export const CPUID_PHYSICAL_BITS = 40;
export const EFLAGS_DF = 0x400;
export const EFLAGS_IOPL = 0x3000;
export const EFLAGS_NT = 0x4000;
export const EFLAGS_VM = 0x20000;
export const EFLAGS_VIF = 0x80000;
export const EFLAGS_VIP = 0x100000;
export const EFLAGS_ID = 0x200000;

// ---- S_FEATURES bits: what the runtime must know of the CPU model
export const FEATURE_LM = 1;
export const FEATURE_NX = 2;
export const FEATURE_SYSCALL = 4;
export const FEATURE_LA57 = 8;
export const FEATURES_ALL = 7;
