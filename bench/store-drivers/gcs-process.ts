import { TestGcs } from '../../test/support/services/gcs.ts';

// The double, in a process of its own so that its CPU is not taken for the client's. Says where it is, and ends with its parent.
const gcs = await TestGcs.start();
process.send?.({ url: gcs.url, serviceAccount: gcs.serviceAccount, token: gcs.tokens.give() });
process.on('disconnect', () => process.exit());
