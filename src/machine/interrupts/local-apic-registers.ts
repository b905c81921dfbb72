/** Registers of the local APIC: offset in its page divided by 16, also the MSR's number minus 0x800 (Intel SDM volume 3, tables 11-1, 11-6). */
export const ID = 0x02;
export const VERSION = 0x03;
export const TPR = 0x08;
export const APR = 0x09;
export const PPR = 0x0a;
export const EOI = 0x0b;
export const RRD = 0x0c;
export const LDR = 0x0d;
export const DFR = 0x0e;
export const SVR = 0x0f;
export const ISR = 0x10;
export const TMR = 0x18;
export const IRR = 0x20;
export const ESR = 0x28;
export const ICR_LOW = 0x30;
export const ICR_HIGH = 0x31;
export const LVT_TIMER = 0x32;
export const LVT_THERMAL = 0x33;
export const LVT_PERFORMANCE = 0x34;
export const LVT_LINT0 = 0x35;
export const LVT_LINT1 = 0x36;
export const LVT_ERROR = 0x37;
export const INITIAL_COUNT = 0x38;
export const CURRENT_COUNT = 0x39;
export const DIVIDE_CONFIGURATION = 0x3e;
export const SELF_IPI = 0x3f;

/** Version 0x14, greatest LVT entry 5. */
export const VERSION_VALUE = 0x00050014;

// SVR
export const SVR_ENABLE = 0x100;
export const SVR_WRITABLE = 0x1ff;

// LVT, ICR
export const VECTOR = 0xff;
export const MODE_SHIFT = 8;
export const LVT_REMOTE_IRR = 1 << 14;
export const LVT_LEVEL_TRIGGERED = 1 << 15;
export const LVT_MASKED = 1 << 16;
export const LVT_TIMER_MODE_SHIFT = 17;

/** What software can set in each LVT register, from LVT_TIMER on. */
export const LVT_WRITABLE: readonly number[] = [0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff];

export const ICR_LOGICAL = 1 << 11;
export const ICR_ASSERT = 1 << 14;
export const ICR_LEVEL_TRIGGERED = 1 << 15;
export const ICR_SHORTHAND_SHIFT = 18;
export const ICR_WRITABLE = 0x000ccfff;
export const TO_DESTINATION = 0;
export const TO_SELF = 1;
export const TO_ALL = 2;

// ESR
export const ESR_SEND_ILLEGAL_VECTOR = 1 << 5;
export const ESR_RECEIVED_ILLEGAL_VECTOR = 1 << 6;
export const ESR_ILLEGAL_REGISTER = 1 << 7;

// MSRs
export const IA32_APIC_BASE = 0x1b;
export const IA32_TSC_DEADLINE = 0x6e0;
export const X2APIC_FIRST = 0x800;
export const X2APIC_LAST = 0x8ff;

// IA32_APIC_BASE
export const BASE_BSP = 1 << 8;
export const BASE_X2APIC = 1 << 10;
export const BASE_ENABLE = 1 << 11;
