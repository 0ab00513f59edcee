import type { LogFormat } from '../log.ts';
import type { LogRecord } from './record.ts';

/** `bare`: one line for who adds the time, as the original wrote to syslog and to systemd. */
export const renderers: Readonly<Record<LogFormat | 'bare', (record: LogRecord) => string>> = {
  text: ({ time, level, message, fields }) => {
    const [first = '', ...others] = message.split('\n').map(visible);
    const indented = others.map((line) => (line.startsWith('  ') ? `\n${line}` : `\n  ${line}`));
    return `${time.toISOString()} ${level.padEnd(7)} ${first}${fieldsText(fields)}${indented.join('')}`;
  },
  short: (record) => `${record.level}\t${oneLine(record)}`,
  bare: (record) => `${record.level}: ${oneLine(record)}`,
  json: ({ time, level, message, fields }) => {
    const about = { time: time.toISOString(), level, message };
    return asJson({ ...about, ...fields, ...about });
  },
};

function oneLine({ message, fields }: LogRecord): string {
  const lines = message.split('\n').map((line) => visible(line.trim()));
  return lines.join('; ') + fieldsText(fields);
}

function fieldsText(fields: LogRecord['fields']): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${valueText(value)}`)
    .join('');
}

/** As it is where that is a word; else quoted, so that it cannot be taken for another field. */
function valueText(value: unknown): string {
  const isText = typeof value === 'string' || typeof value === 'bigint';
  const text = isText ? String(value) : value instanceof Date ? value.toISOString() : asJson(value);
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text);
}

function asJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner));
}

/** Without what moves a cursor or ends a line. */
function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}
