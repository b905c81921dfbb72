import { Command } from 'commander';
import { serveHub } from '../manager/networks/hub.js';
import { hubStatus } from '../manager/networks/hub-status.js';
import { watchHub } from '../manager/networks/watch-hub.js';
import { placeNames } from '../manager/places.js';

export function netCommand(): Command {
  const command = new Command('net').description('networks that machines of several processes share');
  command
    .command('list')
    .description('networks that run now, and who is in them')
    .action(async () => {
      let any = false;
      for (const name of placeNames('net')) {
        const status = await hubStatus(name);
        if (!status) continue;
        any = true;
        console.log(`${name}: ${status.settings}`);
        for (const port of status.ports)
          console.log(
            `  ${port.name}: sent ${port.framesIn} frames, ${port.bytesIn} bytes; got ${port.framesOut} frames, ${port.bytesOut} bytes; ${port.dropped} lost, ${port.refused} refused`,
          );
      }
      if (!any) console.log('no network runs; viv run --net internal,name=lab starts one');
    });
  command
    .command('serve')
    .description('run the switch of a network here; machines start it by themselves')
    .argument('<name>', 'of the network')
    .option('--settings <text>', 'kind of network and its settings, as --net takes them', 'internal')
    .action(async (name: string, { settings }: { settings: string }) => serveHub(name, settings));
  command
    .command('capture')
    .description('write all that passes a network to a file for Wireshark and tcpdump, until Ctrl-C')
    .argument('<name>', 'of the network')
    .argument('<file>', 'to write')
    .action(async (name: string, file: string) => {
      const stop = new Promise<void>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
      });
      const frames = await watchHub(name, file, stop, () =>
        process.stderr.write(`viv: capturing ${name} in ${file}; Ctrl-C ends it\n`),
      );
      process.stderr.write(`viv: ${frames} frames\n`);
    });
  return command;
}
