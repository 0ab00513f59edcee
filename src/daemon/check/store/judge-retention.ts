import { decideRetention } from '../../../retention/decide.ts';
import { type Simulation, simulate } from '../../../retention/simulate.ts';
import { type Finding, note, ok, warning } from '../finding.ts';

type Stored = Omit<Simulation, 'until'>;

const dayMs = 86_400_000;
const horizonDays = 366;

/** What the policy of a site does to what it has. `explain`: the command that tells more. */
export function judgeRetention({ backups, rules, now, starts }: Stored, explain: string): Finding {
  const { doomed } = decideRetention(backups, rules, now);
  const share = `${doomed.length} of ${backups.length} base backups`;
  if (doomed.length * 2 > backups.length) {
    return warning('retention', `by its settings ${share} would be deleted: is that meant?`, 'to see which, and why:', explain);
  }
  if (doomed.length > 0) return ok('retention', `the next pass deletes ${share}`);
  const next = nextToGo({ backups, rules, now, starts });
  if (next !== undefined) return ok('retention', `${next.name} is the next to be deleted, ${next.at.toISOString().slice(0, 10)} or later`);
  return note('retention', `no base backup is deleted within the next ${horizonDays} days`);
}

function nextToGo({ backups, rules, now, starts }: Stored): { name: string; at: Date } | undefined {
  const until = new Date(now.getTime() + horizonDays * dayMs);
  const there = new Set(backups.map(({ name }) => name));
  for (const { at, decision } of simulate({ backups, rules, now, until, starts })) {
    const gone = decision.doomed.find(({ name }) => there.has(name));
    if (gone !== undefined) return { name: gone.name, at };
  }
  return undefined;
}
