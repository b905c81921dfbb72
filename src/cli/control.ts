import { Command } from 'commander';
import { ACTIONS } from '../manager/control/actions.js';
import { askMachine, runningMachines } from '../manager/control/ask-machine.js';

export function listCommand(): Command {
  return new Command('list').description('machines that run now').action(async () => {
    const machines = await runningMachines();
    for (const { name, title } of machines) console.log(`${name}: ${title}`);
    if (machines.length === 0) console.log('no machine runs; viv run debian starts one');
  });
}

export function controlCommand(): Command {
  const command = new Command('control').description('do something with a machine while it runs').addHelpText(
    'after',
    `
Examples:
  viv list                                        which machines run
  viv control insert pc1 cdrom drivers.iso
  viv control attach pc1 data.qcow2,bus=nvme
  viv control cable pc1 1 out
  viv control network pc1 1 nat,forward=tcp:127.0.0.1:2222-:22
  viv control add-card pc1 internal,name=lab,card=e1000
  viv control powerbutton pc1`,
  );
  for (const [name, { takes, does, forcible }] of Object.entries(ACTIONS)) {
    const action = command.command(name).description(does).argument('<machine>', 'its name');
    for (const argument of takes) action.argument(`<${argument}>`);
    if (forcible) action.option('--force', 'even where the guest does not let go');
    action.action(async (...given: unknown[]) => {
      const [machine, ...rest] = given.slice(0, takes.length + 1) as string[];
      const { force = false } = action.opts<{ force?: boolean }>();
      const said = await askMachine(machine!, name, { arguments: rest, folder: process.cwd(), force });
      if (said) console.log(said);
    });
  }
  return command;
}
