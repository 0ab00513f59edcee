/** Why the double refuses a request, in the words of the real API. */
export class Refusal extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }

  get body(): Buffer {
    const { status: code, reason, message } = this;
    return Buffer.from(JSON.stringify({ error: { code, message, errors: [{ message, domain: 'global', reason }] } }));
  }
}

export function bucketMissing(): Refusal {
  return new Refusal(404, 'notFound', 'The specified bucket does not exist.');
}

export function objectMissing(bucket: string, name: string): Refusal {
  return new Refusal(404, 'notFound', `No such object: ${bucket}/${name}`);
}
