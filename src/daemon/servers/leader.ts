import { isSameServer, type UsableNode } from './troubles.ts';

/**
 * The server that a site follows: the primary. Of two the one that was promoted last; where that cannot be told the one that was followed before.
 * `previous`: the index of that. Undefined while no primary answers.
 */
export function leaderOf(usable: readonly UsableNode[], previous: number | undefined): UsableNode | undefined {
  const primaries = usable.filter(({ sample }) => sample.role === 'primary');
  const newest = Math.max(...primaries.map(({ sample }) => sample.timeline));
  const candidates = primaries.filter(({ sample }) => sample.timeline === newest);
  return candidates.find(({ index }) => index === previous) ?? candidates[0];
}

/** Whether which of the two primaries is the right one cannot be told: they are on one timeline. */
export function isTorn(usable: readonly UsableNode[], leader: UsableNode): boolean {
  return usable.some(
    ({ sample }) => sample.role === 'primary' && sample.timeline === leader.sample.timeline && !isSameServer(sample, leader.sample),
  );
}
