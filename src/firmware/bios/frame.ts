import type { GuestRam } from '../../machine/guest-ram.js';

/** Offsets on the stack, as the stub of a service pushes them (rom.ts). */
const ES = 0;
const DS = 2;
const EDI = 4;
const ESI = 8;
const EBP = 12;
const EBX = 20;
const EDX = 24;
const ECX = 28;
const EAX = 32;
const VECTOR = 36;
const IP = 38;
const CS = 40;
const FLAGS = 42;

const CARRY = 0x0001;
const ZERO = 0x0040;
const INTERRUPTS = 0x0200;

/** The registers of who called a service, where its stub left them: what is written here is what the caller gets back. */
export class Frame {
  /** `base`: physical address of the stack. */
  constructor(
    private readonly ram: GuestRam,
    private readonly base: number,
  ) {}

  get vector(): number {
    return this.ram.readU16(this.base + VECTOR);
  }

  private r16(at: number): number {
    return this.ram.readU16(this.base + at);
  }
  private w16(at: number, value: number): void {
    this.ram.writeU16(this.base + at, value & 0xffff);
  }
  private r8(at: number): number {
    return this.ram.readU8(this.base + at);
  }
  private w8(at: number, value: number): void {
    this.ram.writeU8(this.base + at, value & 0xff);
  }

  get ax(): number {
    return this.r16(EAX);
  }
  set ax(value: number) {
    this.w16(EAX, value);
  }
  get al(): number {
    return this.r8(EAX);
  }
  set al(value: number) {
    this.w8(EAX, value);
  }
  get ah(): number {
    return this.r8(EAX + 1);
  }
  set ah(value: number) {
    this.w8(EAX + 1, value);
  }
  get eax(): number {
    return this.ram.readU32(this.base + EAX);
  }
  set eax(value: number) {
    this.ram.writeU32(this.base + EAX, value >>> 0);
  }
  get bx(): number {
    return this.r16(EBX);
  }
  set bx(value: number) {
    this.w16(EBX, value);
  }
  get bl(): number {
    return this.r8(EBX);
  }
  set bl(value: number) {
    this.w8(EBX, value);
  }
  get bh(): number {
    return this.r8(EBX + 1);
  }
  set bh(value: number) {
    this.w8(EBX + 1, value);
  }
  get ebx(): number {
    return this.ram.readU32(this.base + EBX);
  }
  set ebx(value: number) {
    this.ram.writeU32(this.base + EBX, value >>> 0);
  }
  get cx(): number {
    return this.r16(ECX);
  }
  set cx(value: number) {
    this.w16(ECX, value);
  }
  get cl(): number {
    return this.r8(ECX);
  }
  set cl(value: number) {
    this.w8(ECX, value);
  }
  get ch(): number {
    return this.r8(ECX + 1);
  }
  set ch(value: number) {
    this.w8(ECX + 1, value);
  }
  get ecx(): number {
    return this.ram.readU32(this.base + ECX);
  }
  set ecx(value: number) {
    this.ram.writeU32(this.base + ECX, value >>> 0);
  }
  get dx(): number {
    return this.r16(EDX);
  }
  set dx(value: number) {
    this.w16(EDX, value);
  }
  get dl(): number {
    return this.r8(EDX);
  }
  set dl(value: number) {
    this.w8(EDX, value);
  }
  get dh(): number {
    return this.r8(EDX + 1);
  }
  set dh(value: number) {
    this.w8(EDX + 1, value);
  }
  get edx(): number {
    return this.ram.readU32(this.base + EDX);
  }
  set edx(value: number) {
    this.ram.writeU32(this.base + EDX, value >>> 0);
  }
  get si(): number {
    return this.r16(ESI);
  }
  set si(value: number) {
    this.w16(ESI, value);
  }
  get di(): number {
    return this.r16(EDI);
  }
  set di(value: number) {
    this.w16(EDI, value);
  }
  get edi(): number {
    return this.ram.readU32(this.base + EDI);
  }
  get bp(): number {
    return this.r16(EBP);
  }
  set bp(value: number) {
    this.w16(EBP, value);
  }
  get ds(): number {
    return this.r16(DS);
  }
  set ds(value: number) {
    this.w16(DS, value);
  }
  get es(): number {
    return this.r16(ES);
  }
  set es(value: number) {
    this.w16(ES, value);
  }

  /** The nth word that was on the stack before the service was called. */
  pushed(n: number): number {
    return this.r16(FLAGS + 2 + 2 * n);
  }

  /** Where the service returns to. */
  returnTo(segment: number, offset: number): void {
    this.w16(CS, segment);
    this.w16(IP, offset);
    this.w16(FLAGS, this.r16(FLAGS) | INTERRUPTS);
  }

  private setFlag(flag: number, on: boolean): void {
    const flags = this.r16(FLAGS);
    this.w16(FLAGS, on ? flags | flag : flags & ~flag);
  }
  get carry(): boolean {
    return (this.r16(FLAGS) & CARRY) !== 0;
  }
  set carry(on: boolean) {
    this.setFlag(CARRY, on);
  }
  set zero(on: boolean) {
    this.setFlag(ZERO, on);
  }

  /** The service is not there. */
  unsupported(): void {
    this.ah = 0x86;
    this.carry = true;
  }
}
