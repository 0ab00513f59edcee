import { Refusal } from './refusal.ts';

export interface BodyPart {
  readonly head: string;
  readonly body: Buffer;
}

const headEnd = Buffer.from('\r\n\r\n');

/** The parts of a `multipart/…` body, each with its headers as text. */
export function partsOf(body: Buffer, contentType: string): BodyPart[] {
  const match = /boundary=(?:"([^"]+)"|([^;]+))/.exec(contentType);
  if (!match) throw new Refusal(400, 'badRequest', 'no boundary');
  const boundary = Buffer.from(`--${match[1] ?? match[2]}`);
  const parts: BodyPart[] = [];
  for (let start = body.indexOf(boundary); start >= 0; ) {
    const end = body.indexOf(boundary, start + boundary.length);
    if (end < 0) break;
    const part = body.subarray(start + boundary.length + 2, end - 2);
    const split = part.indexOf(headEnd);
    if (split < 0) throw new Refusal(400, 'badRequest', 'Malformed multipart body.');
    parts.push({ head: part.subarray(0, split).toString(), body: part.subarray(split + headEnd.length) });
    start = end;
  }
  return parts;
}
