import { Command } from 'commander';
import { exitStatus } from '../errors/exit-status.ts';
import type { Payload } from '../io.ts';
import { renderKeyValues, renderSection, renderTable, textOf } from '../output/table.ts';
import { timeText } from '../output/times.ts';
import type { Act, Session } from '../session.ts';

/** Whether the vault is open: exit status 0 unsealed, 2 sealed, another when nobody could be asked. */
export function statusCommand(act: Act): Command {
  return new Command('status')
    .description('show the seal (exit status 0: unsealed, 2: sealed)')
    .action(
      act(async (session) => {
        const answer = await session.call('seal.status', {});
        printSealStatus(session, answer);
        return answer['sealed'] === true || answer['initialized'] !== true
          ? exitStatus.server
          : exitStatus.ok;
      }),
    );
}

export function printSealStatus(session: Session, answer: Payload): void {
  session.print({ document: answer, table: () => sealTables(answer).join('\n') });
}

function sealTables(answer: Payload): string[] {
  const slots = (answer['slots'] ?? []) as readonly Payload[];
  const nodes = (answer['nodes'] ?? []) as readonly Payload[];
  const needed = Number(answer['sharesNeeded'] ?? 0);
  const parts = [
    renderKeyValues({
      initialized: answer['initialized'] === true,
      sealed: answer['sealed'] === true,
      state: answer['state'],
      ...(answer['reason'] === '' || answer['reason'] === undefined
        ? {}
        : { reason: answer['reason'] }),
      ...(answer['manuallySealed'] === true ? { sealed_by_hand: true } : {}),
      ...(needed > 0 ? { unseal_progress: `${textOf(answer['sharesGiven'])}/${needed}` } : {}),
      cluster_id: answer['clusterId'],
      node: answer['node'],
      keyring_epoch: answer['keyringEpoch'],
      version: answer['version'],
    }),
  ];
  if (slots.length > 0) parts.push(renderSection('Seal slots', slotTable(slots)));
  if (nodes.length > 0) {
    const rows = nodes.map((node) => [
      String(node['node']),
      String(node['state']),
      node['restartReady'] === true ? 'yes' : 'no',
      timeText(node['lastProofAtMs']),
      textOf(node['reason']),
    ]);
    parts.push(
      renderSection(
        'Nodes',
        renderTable(['Node', 'State', 'Restart-ready', 'Proved at', 'Reason'], rows),
      ),
    );
  }
  return parts;
}

export function slotTable(slots: readonly Payload[]): string {
  return renderTable(
    ['Slot', 'Kind', 'Health', 'Generation', 'KEK', 'Reason'],
    slots.map((slot) => [
      String(slot['name']),
      String(slot['kind']),
      String(slot['health']),
      textOf(slot['kekGeneration']),
      textOf(slot['kekFingerprint']).slice(0, 16),
      textOf(slot['reason']),
    ]),
  );
}
