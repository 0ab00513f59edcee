import type { CheckedFile } from './checked-file.ts';
import type { WorkDeps } from './verify-deps.ts';

/** With another finding for each file of which it is known that it is damaged, and the key is not wrong. */
export async function judgeKeys(
  checked: readonly CheckedFile[],
  { judgeKey }: Pick<WorkDeps, 'judgeKey'>,
): Promise<readonly CheckedFile[]> {
  if (checked.every(({ finding }) => finding?.code !== 'key-wrong')) return checked;
  const judged: CheckedFile[] = [];
  for (const each of checked) judged.push(each.finding === undefined ? each : { ...each, finding: await judgeKey(each.finding) });
  return judged;
}
