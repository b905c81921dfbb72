/** An interrupt or other wire: true is asserted, whatever voltage that is. Setting the same level again does nothing. */
export type Line = (asserted: boolean) => void;

/** Several outputs on one wire: it is asserted while any of them is. */
export class SharedLine {
  private inputs: boolean[] = [];
  private asserted = false;

  constructor(private readonly output: Line) {}

  /** A new output that drives the wire. */
  input(): Line {
    const index = this.inputs.push(false) - 1;
    return (asserted) => {
      this.inputs[index] = asserted;
      this.update();
    };
  }

  get level(): boolean {
    return this.asserted;
  }

  private update(): void {
    const asserted = this.inputs.includes(true);
    if (asserted === this.asserted) return;
    this.asserted = asserted;
    this.output(asserted);
  }

  save(): boolean[] {
    return [...this.inputs];
  }

  /** Takes the levels without telling the output, whose state is loaded with its own component. */
  load(inputs: boolean[]): void {
    this.inputs = this.inputs.map((_, index) => inputs[index] ?? false);
    this.asserted = this.inputs.includes(true);
  }
}
