import type { PostgresNode } from '../../postgres/node.ts';

/** In which order the servers of a site are tried. */
export interface NodeOrder {
  /** Best first; never empty. */
  readonly nodes: readonly PostgresNode[];
  /** The primary, to which receiving goes over also where another server delivers; undefined where none is known. */
  readonly leader: PostgresNode | undefined;
}

const returnMsFirst = 30_000;
const returnMsMax = 600_000;

/** Which server comes next: the primary first, after failures one after the other, and back to the primary, less and less often where that fails. */
export class NodeRotation {
  readonly #order: () => NodeOrder;
  #leader: PostgresNode | undefined;
  #turn = 0;
  #leaderFailures = 0;
  #returnAtMs = Number.NEGATIVE_INFINITY;

  constructor(order: () => NodeOrder) {
    this.#order = order;
  }

  get size(): number {
    return this.#order().nodes.length;
  }

  next(): PostgresNode {
    const { nodes } = this.#look();
    return nodes[this.#turn % nodes.length] as PostgresNode;
  }

  failed(node: PostgresNode, nowMs: number): void {
    this.#look();
    this.#turn++;
    if (node !== this.#leader) return;
    this.#returnAtMs = nowMs + Math.min(returnMsFirst * 2 ** this.#leaderFailures, returnMsMax);
    this.#leaderFailures++;
  }

  /** It delivers. */
  succeeded(node: PostgresNode): void {
    this.#turn = 0;
    if (node === this.#leader) this.#leaderFailures = 0;
  }

  isLeader(node: PostgresNode): boolean {
    return node === this.#look().leader;
  }

  /** The primary, if it is time to leave `node` for it: then it comes next. */
  leaderInsteadOf(node: PostgresNode, nowMs: number): PostgresNode | undefined {
    const { leader } = this.#look();
    if (leader === undefined || leader === node || nowMs < this.#returnAtMs) return undefined;
    this.#turn = 0;
    return leader;
  }

  /** A new primary has not failed yet. */
  #look(): NodeOrder {
    const { nodes, leader } = this.#order();
    if (leader !== undefined && leader !== this.#leader) {
      this.#turn = 0;
      this.#leaderFailures = 0;
      this.#returnAtMs = Number.NEGATIVE_INFINITY;
      this.#leader = leader;
    }
    return { leader, nodes: leader === undefined ? nodes : [leader, ...nodes.filter((node) => node !== leader)] };
  }
}
