/** What browsers that have it tell of the processor (User-Agent Client Hints, 4.1.3). */
interface WithHints {
  readonly userAgentData?: {
    getHighEntropyValues(hints: readonly string[]): Promise<{ readonly architecture?: string }>;
  };
}

/** Whether the processor is known to keep the order of memory that x86 has. Others name the system at most, and only Linux with its processor. */
export async function keepsX86Order(): Promise<boolean> {
  const { userAgentData } = navigator as WithHints;
  const hints = await userAgentData?.getHighEntropyValues(['architecture']);
  if (hints?.architecture) return hints.architecture === 'x86';
  return /^Linux (x86_64|i[3-6]86)$/.test(navigator.platform);
}
