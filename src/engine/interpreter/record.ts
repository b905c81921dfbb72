/**
 * A decoded instruction as the interpreter reads it: 32 bytes in the shared memory. Plain numbers only: this file is
 * compiled by TypeScript and by AssemblyScript both. Register fields are byte offsets into the CPU block, so that AH is
 * RAX's offset + 1 and "no register" is the offset of a slot that is always zero.
 */
export const RECORD_BYTES = 32;

/** u16 handler number. */
export const R_HANDLER = 0;
/** u8 length of the instruction. */
export const R_LENGTH = 2;
/** u8 how the linear address is made: 0 or 32, the shift that makes the mask of the offset; EA_GENERAL: by the runtime, with segment checks. */
export const R_EA = 3;
export const EA_GENERAL = 0x80;
/** u16 registers of operands 0 and 1; of operand 2 where it is one. */
export const R_REG0 = 4;
export const R_REG1 = 6;
export const R_REG2 = 12;
/** i64 immediate, extended; or two u32 where an instruction has two. */
export const R_IMM = 8;
export const R_IMM2 = 12;
/** Memory operand: u16 base, u16 index, u8 scale (shift), u8 segment, u16 offset of the segment base (or of zero), i32 displacement. */
export const R_BASE = 16;
export const R_INDEX = 18;
/** In R_BASE: the offset is the immediate (MOV with moffs). */
export const BASE_MOFFS = 0xffff;
export const R_SCALE = 20;
export const R_SEGMENT = 21;
export const R_SEGMENT_BASE = 22;
export const R_DISPLACEMENT = 24;
/** Direct jumps, which have no memory operand: u32 record of the target block, of the block behind; 0 not linked. */
export const R_LINK = 16;
export const R_LINK_NEXT = 20;
/** u16 offset in the page of the byte behind the instruction. */
export const R_NEXT = 28;
/** u8 instructions of the block from this one on that are not done yet. */
export const R_LEFT = 30;
/** u8 shift s: the address size's mask is 2^64 - 1 >> s (0, 32, 48). */
export const R_ASIZE = 31;

// The record at the head of each block
/** u16 instructions in the block. */
export const B_COUNT = 4;
/** u16 executions until the block counts as hot; counts down. */
export const B_HEAT = 6;
/** u16 what B_HEAT began with. */
export const B_HEAT_WHOLE = 24;
/** u32 address in memory of the second page, for a block whose only instruction crosses into it; else 0. */
export const B_SECOND = 8;
/** u32 next block of the same page in the list that invalidation follows. */
export const B_CHAIN = 12;
/** u32 address in memory of the page that the block lies in. */
export const B_PAGE = 16;
/** u8 G_PERIOD when B_HEAT began to count down. */
export const B_PERIOD = 31;
/** u16 MODE_ bits that the block was decoded for. */
export const B_MODE = 26;
/** With HANDLER_REGION: u16 place of the region in the table, u16 entry. */
export const B_REGION = 20;
export const B_ENTRY = 22;

/** A direct call of translated code, as a CPU knows it (in S_SITES): i64 target, i64 key (S_JUMP_KEY) under which it is known, u16 place of the region in the table, u16 entry. */
export const SITE_BYTES = 32;
export const SITE_TARGET = 0;
export const SITE_KEY = 8;
export const SITE_REGION = 16;
export const SITE_ENTRY = 18;
/** u16 place and u16 entry of the region that the caller's module imports; i64: SITE_KEY if that is the target's now, else 0. */
export const SITE_IMPORT = 20;
export const SITE_IMPORT_ENTRY = 22;
export const SITE_IMPORT_KEY = 24;
/**
 * A page beside that of a region, as a CPU knows it (in S_SITES): i64 instruction pointer of the region's page and i64 key under which the page is known
 * to be there; u32 its address in memory, i32 distance in pages.
 */
export const NEIGHBOUR_BYTES = 32;
export const NEIGHBOUR_BASE = 0;
export const NEIGHBOUR_KEY = 8;
export const NEIGHBOUR_PAGE = 16;
export const NEIGHBOUR_DISTANCE = 20;
/** No place in the table. */
export const NO_REGION = 0xffff;

/** Handlers that are no instructions. */
export const HANDLER_BLOCK = 0;
/** The code was overwritten: look up again at this instruction. */
export const HANDLER_STALE = 1;
/** End of a block that no jump ends. */
export const HANDLER_FALL = 2;
/** Raises the fault whose vector is in R_IMM: undefined instructions and the like. */
export const HANDLER_RAISE = 3;
/** Head of a block that translated code takes over. */
export const HANDLER_REGION = 4;
export const FIRST_FORM_HANDLER = 5;
