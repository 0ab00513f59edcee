/** What the daemon will do by itself, or waits for. */
export interface NextAction {
  readonly what: 'basebackup' | 'deletion' | 'wal';
  readonly at?: Date;
  readonly because: string;
}
