import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { runProgram } from '../../lib/subprocess.ts';
import { checkMsMax } from './deps.ts';
import { about, type Finding, failed, failure, note, ok, warning } from './finding.ts';
import { parseUnits, type Unit } from './systemd-units.ts';
import { within } from './within.ts';

export interface UnitRequest {
  readonly configFile: string;
  /** The program of the daemon, and whom it should run as. */
  readonly program: string;
  readonly user: string;
}

const runsHere = '/run/systemd/system';

/** Whether systemd starts the daemon, and again when it ends. A unit that is neither running nor enabled has to be asked for by its name. */
export async function checkSystemd(request: UnitRequest, signal: AbortSignal): Promise<Finding[]> {
  const isThere = await stat(runsHere).then(
    () => true,
    () => false,
  );
  if (!isThere)
    return [
      note('unit', 'systemd does not run here: see that the daemon is started at boot, and again when it ends', ...unitFile(request)),
    ];
  try {
    const names = 'Id,ActiveState,UnitFileState,Restart,Type,NotifyAccess,User,ExecStart,NRestarts';
    const run = (limited: AbortSignal) =>
      runProgram('systemctl', ['show', '--no-pager', `--property=${names}`, '*.service', 'pghoard.service'], {
        signal: limited,
        env: { ...process.env, LC_ALL: 'C' },
      });
    const { code, stdout, stderr } = await within(checkMsMax, signal, run);
    if (code !== 0) return [note('unit', `systemctl does not tell: ${stderr}`)];
    return judgeUnits(parseUnits(stdout), request);
  } catch (error) {
    signal.throwIfAborted();
    return [failed('unit', error)];
  }
}

export function judgeUnits(units: readonly Unit[], request: UnitRequest): Finding[] {
  const daemons = units.filter(({ commands }) => commands.some((words) => configOf(words) !== undefined));
  const ours = daemons.find(({ commands }) =>
    commands.some((words) => resolve('/', configOf(words) ?? '') === resolve(request.configFile)),
  );
  if (ours) return judgeUnit(ours, request).map((finding) => about(ours.name, finding));
  const [other] = daemons;
  if (other === undefined) return [note('unit', 'no unit of systemd runs pghoard: nothing starts it at boot', ...unitFile(request))];
  const config = other.commands.flatMap((words) => configOf(words) ?? [])[0] ?? '';
  return [
    about(
      other.name,
      warning(
        'unit',
        `it runs pghoard with another configuration, ${config === '' ? 'given by its environment' : config}`,
        `systemctl edit ${other.name}`,
      ),
    ),
  ];
}

function judgeUnit(unit: Unit, request: UnitRequest): Finding[] {
  const { name, active, enabled, restart, user } = unit;
  return [
    active === 'active'
      ? ok('unit', 'runs pghoard with this configuration')
      : failure('unit', `is ${active}`, `systemctl start ${name}`, `journalctl -u ${name} tells why it is not running`),
    enabled === 'enabled' || enabled === 'static'
      ? ok('unit-enabled', 'is started at boot')
      : warning('unit-enabled', `is ${enabled === '' ? 'not enabled' : enabled}: nothing starts it at boot`, `systemctl enable ${name}`),
    ['always', 'on-failure', 'on-abnormal'].includes(restart)
      ? ok('unit-restart', `is started again when it ends (Restart=${restart})`)
      : warning(
          'unit-restart',
          `is not started again when it ends (Restart=${restart})`,
          'Restart=always',
          `in [Service]: systemctl edit ${name}`,
        ),
    ...judgeNotifying(unit),
    ...(user === '' || user === 'root'
      ? [note('unit-user', `runs pghoard as root, who may do more than it needs`, `User=${request.user}`)]
      : []),
  ];
}

/** The daemon speaks to systemd through `systemd-notify`, a child process. As root it may speak in its parent's name. */
function judgeNotifying({ name, type, notifyAccess, user }: Unit): Finding[] {
  if (!type.startsWith('notify') || notifyAccess === 'all' || user === '' || user === 'root') return [];
  return [
    failure(
      'unit-notify',
      `does not hear that pghoard is up, and ends it again: Type=${type} with NotifyAccess=${notifyAccess}`,
      'NotifyAccess=all',
      `in [Service]: systemctl edit ${name}`,
    ),
  ];
}

/** Undefined where the command does not run the daemon; empty where it names no file. */
function configOf(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => /(^|\/)pghoard(\.js)?$/.test(word));
  if (at < 0 || words[at + 1] === 'check') return undefined;
  const flags = words.slice(at + 1);
  const index = flags.indexOf('--config');
  const given = index >= 0 ? flags[index + 1] : flags.find((word) => word.startsWith('--config='))?.slice('--config='.length);
  return given ?? flags.find((word) => !word.startsWith('-')) ?? '';
}

function unitFile({ configFile, program, user }: UnitRequest): string[] {
  return [
    '/etc/systemd/system/pghoard.service:',
    '  [Unit]',
    '  Description=PostgreSQL backups',
    '  After=network-online.target postgresql.service',
    '  [Service]',
    '  Type=notify',
    '  NotifyAccess=all',
    '  WatchdogSec=3min',
    `  User=${user}`,
    `  ExecStart=${program} --config ${configFile}`,
    '  ExecReload=kill -HUP $MAINPID',
    '  KillMode=mixed',
    '  Restart=always',
    '  [Install]',
    '  WantedBy=multi-user.target',
    'systemctl enable --now pghoard',
  ];
}
