/** Executions after which a block is worth translating when nothing else is. */
const LEAST = 4000;
const MOST = 32000;
/** What translating an instruction costs, in instructions that the guest could have run meanwhile: some 20 µs. */
const COST = 20_000;
/** Instructions over which the cost is averaged. */
const WINDOW = 200_000_000;
/** Heat by the share of the cost in what was run: it is LEAST up to a third. */
const STEEPNESS = 3 * LEAST;

/**
 * How hot code must be. Programs that run much code a little (a compiler) would spend more on translating than they gain;
 * so the heat follows what was spent lately. It goes by instructions, not by time, so that runs are repeatable.
 */
export class Heat {
  private load = 0;
  private since = 0;

  /** `fixed`: always so many executions, or null. */
  constructor(private readonly fixed: number | null) {}

  /** Executions until a block is hot, when so many instructions have been retired. */
  at(retired: number): number {
    if (this.fixed !== null) return this.fixed;
    const load = (this.load * WINDOW) / (WINDOW + Math.max(0, retired - this.since));
    return Math.round(Math.min(MOST, Math.max(LEAST, load * STEEPNESS)));
  }

  /** So many instructions were translated. */
  spent(instructions: number, retired: number): void {
    const passed = Math.max(0, retired - this.since);
    this.load = (this.load * WINDOW + instructions * COST) / (WINDOW + passed);
    this.since = retired;
  }
}
