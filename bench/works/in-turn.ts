/** Beginning with another one each round. */
export function inTurn<T>(tools: readonly T[], round: number): readonly T[] {
  return tools.map((_, index) => tools[(index + round) % tools.length] as T);
}
