import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { waitFor } from './wait-for.ts';

/** Node has no datagram sockets of this kind. Closes the file that systemd-notify hands over to learn when it has been heard. */
const program = `
import array, json, os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
print("[]", flush=True)
while True:
    data, control, _, _ = listener.recvmsg(65536, socket.CMSG_SPACE(64))
    for _, _, files in control:
        for file in array.array("i", files): os.close(file)
    print(json.dumps(data.decode().splitlines()), flush=True)
`;

/** The socket of a service manager, and what services told it. */
export class NotifyListener implements AsyncDisposable {
  readonly path: string;
  /** A list of assignments per message, without the barriers behind them. */
  readonly messages: (readonly string[])[] = [];
  readonly #child: ChildProcess;

  static async open(path: string): Promise<NotifyListener> {
    const child = spawn('python3', ['-c', program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const listener = new NotifyListener(path, child);
    await waitFor(() => listener.#isOpen, { withinMs: 30_000, what: 'the notify socket is open' });
    return listener;
  }

  #isOpen = false;

  private constructor(path: string, child: ChildProcess) {
    this.path = path;
    this.#child = child;
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) this.#heard(JSON.parse(line) as string[]);
    });
  }

  /** Resolves to the message once one has come, `from` there on, with an assignment like this. */
  async heard(what: RegExp, from = 0): Promise<readonly string[]> {
    const find = () => this.messages.slice(from).find((message) => message.some((assignment) => what.test(assignment)));
    return waitFor(find, { withinMs: 30_000, what: () => `${what} is told: ${JSON.stringify(this.messages)}` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill();
    await once(this.#child, 'exit');
  }

  #heard(message: readonly string[]): void {
    this.#isOpen = true;
    if (message.length > 0 && !message.includes('BARRIER=1')) this.messages.push(message);
  }
}
