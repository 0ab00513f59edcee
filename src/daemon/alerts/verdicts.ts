import type { AlertName } from './alert-catalogue.ts';

/** Per alert that was judged: why it is there, or null: it is not. Of what cannot be judged now nothing is said, and it stays as it is. */
export type Verdicts = Readonly<Partial<Record<AlertName, string | null>>>;
