/** APIC ids have 8 bits, and the last is everybody's. */
export const MOST_CPUS = 255;

const bitsFor = (count: number): number => Math.ceil(Math.log2(count));

/** How a machine's CPUs are grouped. CPU number n is thread n mod threads of its core, and so on upwards. */
export class CpuTopology {
  /** Bits of an APIC id that number the thread in its core, and the core in its socket (SDM vol. 3, 9.9.1). */
  readonly threadBits: number;
  readonly coreBits: number;

  /** All at least 1: sockets of the board, cores of a socket, threads of a core. */
  constructor(
    readonly sockets: number,
    readonly cores: number,
    readonly threads: number,
  ) {
    this.threadBits = bitsFor(threads);
    this.coreBits = bitsFor(cores);
  }

  /** One socket whose cores have one thread each. */
  static flat(cpus: number): CpuTopology {
    return new CpuTopology(1, cpus, 1);
  }

  get cpus(): number {
    return this.sockets * this.cores * this.threads;
  }

  /** The APIC id of a CPU: its number where cores and threads are powers of two, else with gaps. */
  apicId(cpu: number): number {
    const thread = cpu % this.threads;
    const core = Math.floor(cpu / this.threads) % this.cores;
    const socket = Math.floor(cpu / (this.threads * this.cores));
    return (((socket << this.coreBits) | core) << this.threadBits) | thread;
  }

  get apicIds(): readonly number[] {
    return Array.from({ length: this.cpus }, (_, cpu) => this.apicId(cpu));
  }
}
