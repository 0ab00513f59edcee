import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import type { Writable } from 'node:stream';
import { systemErrorCode } from '../errors.ts';
import type { SyslogAddress } from './syslog-address.ts';

/** A way to syslog that is open, or being opened. It ends by its first failure. */
export interface SyslogLine {
  /** Whether more would only pile up. */
  readonly isFull: boolean;
  /** `done` is called once the message has left this process, with why where it could not. */
  send(message: Buffer, done: (error?: Error | null) => void): void;
  /** Gives it a moment to send what it has. */
  close(): Promise<void>;
}

export interface LineEvents {
  /** Messages can be sent. */
  readonly onOpen: () => void;
  /** No longer full. */
  readonly onRoom: () => void;
  /** Called once. Nothing comes after it. */
  readonly onEnd: (because: string) => void;
}

const queuedBytesMax = 64 * 1024;
const connectMsMax = 10_000;
const closeMsMax = 1_000;
/** Who finds no socket ends sooner than that. */
const loggerStartsMs = 250;

export function openLine(address: SyslogAddress, program: string, events: LineEvents): SyslogLine {
  const once = { ...events, onEnd: onlyFirst(events.onEnd) };
  if (address.kind === 'unix') return openLogger(address.path, program, once);
  return address.kind === 'tcp' ? openTcp(address.host, address.port, once) : openUdp(address.host, address.port, once);
}

/** Node has no datagram sockets of Unix, which syslog listens on; `logger` of util-linux, a part of every Linux, has. */
function openLogger(path: string, program: string, { onOpen, onRoom, onEnd }: LineEvents): SyslogLine {
  const about = ['--tag', program, `--id=${process.pid}`, '--prio-prefix', '--size', '8KiB', '--skip-empty'];
  const child = spawn('logger', ['--socket', path, '--socket-errors=on', ...about], { stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = `${said}${text}`.slice(-500)));
  child.on('error', (error) =>
    onEnd(systemErrorCode(error) === 'ENOENT' ? 'there is no program logger (package util-linux or bsdutils)' : error.message),
  );
  child.on('close', (code, signal) => {
    clearTimeout(opening);
    onEnd(said.trim().split('\n').at(-1) || `logger ended with ${signal ?? code}`);
  });
  const opening = setTimeout(onOpen, loggerStartsMs).unref();
  child.stdin.on('error', () => {}).on('drain', onRoom);
  child.unref();
  return lineOf(child.stdin, new Promise((resolve) => child.once('close', resolve)), () => child.kill());
}

function openTcp(host: string, port: number, { onOpen, onRoom, onEnd }: LineEvents): SyslogLine {
  const socket = connect({ host, port, keepAlive: true, timeout: connectMsMax });
  socket.on('timeout', () => socket.destroy(new Error(`no answer within ${connectMsMax / 1000} s`)));
  socket.on('connect', () => {
    socket.setTimeout(0);
    onOpen();
  });
  socket.on('drain', onRoom).resume().unref();
  socket.on('error', (error) => onEnd(error.message)).on('close', () => onEnd('it has closed the connection'));
  return lineOf(socket, new Promise((resolve) => socket.once('close', resolve)), () => socket.destroy());
}

function lineOf(stream: Writable, closed: Promise<unknown>, abandon: () => void): SyslogLine {
  return {
    get isFull() {
      return stream.writableLength > queuedBytesMax;
    },
    send: (message, done) => void stream.write(message, done),
    close: async () => {
      stream.end();
      const timer = setTimeout(abandon, closeMsMax);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** The name is looked up once per line. */
function openUdp(host: string, port: number, { onOpen, onRoom, onEnd }: LineEvents): SyslogLine {
  let socket: ReturnType<typeof createSocket> | undefined;
  let isClosed = false;
  const end = (error: unknown) => {
    socket?.close();
    socket = undefined;
    onEnd(error instanceof Error ? error.message : String(error));
  };
  const open = async () => {
    const { address, family } = await lookup(host);
    if (isClosed) return;
    socket = createSocket(family === 6 ? 'udp6' : 'udp4').unref();
    socket.on('error', end).on('connect', onOpen);
    socket.connect(port, address);
  };
  open().catch(end);
  return {
    get isFull() {
      return (socket?.getSendQueueSize() ?? 0) > queuedBytesMax;
    },
    send: (message, done) =>
      socket?.send(message, (error) => {
        done(error);
        if (error) end(error);
        else onRoom();
      }),
    close: async () => {
      isClosed = true;
      const closing = socket;
      socket = undefined;
      await new Promise<void>((resolve) => (closing ? closing.close(resolve) : resolve()));
    },
  };
}

function onlyFirst(tell: (because: string) => void): (because: string) => void {
  let isTold = false;
  return (because) => {
    if (isTold) return;
    isTold = true;
    tell(because);
  };
}
