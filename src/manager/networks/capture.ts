import { closeSync, openSync, writeSync } from 'node:fs';
import { NO_OFFLOAD } from '../../machine/frame.js';
import { UserError } from '../../machine/user-error.js';
import { forReceiver } from '../../network/complete.js';
import { pcapHeader, pcapRecord } from '../../network/pcap.js';
import type { SwitchPort } from '../../network/switch/switch.js';

/** A new file for frames, behind its header; `what`: as the user named it, for messages. */
export function openCapture(what: string, path: string): number {
  try {
    const file = openSync(path, 'w');
    writeSync(file, pcapHeader());
    return file;
  } catch (error) {
    throw new UserError(`${what} cannot be written: ${(error as Error).message}`);
  }
}

/** Writes all that passes a port to a file that Wireshark and tcpdump read; gives what ends that. */
export function capture(port: SwitchPort, path: string): () => void {
  const file = openCapture(`--net capture=${path}`, path);
  port.tap = (frame) => {
    try {
      for (const piece of forReceiver(frame, NO_OFFLOAD))
        writeSync(file, pcapRecord(piece.bytes, Date.now()));
    } catch (error) {
      port.tap = null;
      process.stderr.write(
        `\r\nviv: --net capture=${path}: nothing more is captured: ${(error as Error).message}\r\n`,
      );
    }
  };
  return () => {
    port.tap = null;
    closeSync(file);
  };
}
