import { Pacing } from '../pacing.js';

/** Breathes by a message to itself: timers that were set by timers wait 4 ms at least (HTML standard, 8.7). */
export function browserPacing(): Pacing {
  const { port1, port2 } = new MessageChannel();
  let breathed = (): void => {};
  port1.onmessage = () => breathed();
  return new Pacing(
    () =>
      new Promise((resolve) => {
        breathed = resolve;
        port2.postMessage(null);
      }),
  );
}
