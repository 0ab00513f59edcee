import { chmodSync, chownSync, constants, copyFileSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tarUnsafe } from '../catalog/member-place.ts';
import { isOperatorError, OperatorError, systemErrorCode } from '../lib/errors.ts';
import type { TarMember } from '../tar/header.ts';
import type { TarHandler } from '../tar/reader.ts';
import { type FileAttributes, FileWriter } from './file-writer.ts';
import { controlFile, heldControlFile, type Layout, type Place, placeOf, tablespaceMap } from './layout.ts';
import { SetAside } from './set-aside.ts';
import { parseTablespaceMap } from './tablespace-map.ts';
import { writing } from './write-error.ts';

/** A symlink of the archive, to be made when nothing is written any more. */
export interface PendingLink {
  readonly root: string;
  readonly relative: string;
  readonly target: string;
}

/** A data directory holds a handful of symlinks; an archive with more is not one. */
const linksMax = 10_000;
const tablespaceMapBytesMax = 1024 * 1024;
const tablespaceLink = /^pg_tblspc\/(\d+)$/;

export interface UnpackerOptions {
  /** Files get the owner that the archive names, which only root can do. */
  readonly keepOwners: boolean;
  /** What was there before was set aside: files are taken back from there, and only what differs in them is written. */
  readonly reuse: boolean;
}

interface OpenMember {
  readonly member: TarMember;
  readonly write: (bytes: Uint8Array) => void;
  readonly close: () => void;
}

/**
 * Writes the members of an archive to the places that a {@link Layout} gives them, synchronously, and never anywhere else:
 * names are judged by {@link placeOf}, files are created anew or are ours alone, and no symlink is made before everything is written, by this archive or by
 * any other of the backup, so that none can lead a write astray.
 */
export class Unpacker implements TarHandler, Disposable {
  readonly #layout: Layout;
  readonly #keepOwners: boolean;
  readonly #writer = new FileWriter();
  readonly #setAside: SetAside | undefined;
  readonly #directories: Set<string>;
  readonly #links: PendingLink[] = [];
  #open: OpenMember | undefined;
  #files = 0;

  constructor(layout: Layout, options: UnpackerOptions) {
    this.#layout = layout;
    this.#keepOwners = options.keepOwners;
    this.#setAside = options.reuse ? new SetAside() : undefined;
    this.#directories = new Set([layout.dataDirectory, ...layout.tablespaces.map(({ directory }) => directory)]);
  }

  get links(): readonly PendingLink[] {
    return this.#links;
  }

  get files(): number {
    return this.#files;
  }

  member(member: TarMember): void {
    this.#open = undefined;
    const place = placeOf(member.path, this.#layout);
    if (place === undefined) return;
    if (member.type === 'directory') return this.#directory(member, place);
    if (member.type === 'symlink') return this.#symlink(member, place);
    if (place.relative === '') throw tarUnsafe(member.path, 'it stands where a directory must be');
    if (member.type === 'hardlink') return this.#hardlink(member, place);
    this.#open = this.#isTablespaceMap(member, place) ? this.#collectTablespaceMap(member) : this.#file(member, place);
  }

  /** Keeps the file of this member where it is there already, and `isSame` says so of its content; only files of its size are asked for. False: nothing was done. */
  keep(member: TarMember, isSame: (path: string) => boolean): boolean {
    const place = placeOf(member.path, this.#layout);
    if (place === undefined || place.relative === '') return false;
    const path = this.#pathFor(member, place);
    return writing(path, () => {
      const there = lstatSync(path, { throwIfNoEntry: false });
      if (!there?.isFile() || there.size !== member.size || !isSame(path)) return false;
      if (!this.#writer.keep(path, this.#attributesOf(member, place))) return false;
      this.#files++;
      return true;
    });
  }

  data(bytes: Uint8Array): void {
    this.#open?.write(bytes);
  }

  end(): void {
    this.#open?.close();
    this.#open = undefined;
  }

  [Symbol.dispose](): void {
    this.#writer[Symbol.dispose]();
  }

  #file(member: TarMember, place: Place): OpenMember {
    const path = this.#pathFor(member, place);
    this.#creating(member, path, () => (this.#setAside ? this.#writer.openKept(path) : this.#writer.open(path)));
    const attributes = this.#attributesOf(member, place);
    return {
      member,
      write: (bytes) => writing(path, () => this.#writer.write(bytes)),
      close: () => {
        writing(path, () => this.#writer.close(attributes));
        this.#files++;
      },
    };
  }

  #attributesOf(member: TarMember, place: Place): FileAttributes {
    const mode = isPlainCopy(place) ? member.mode & 0o640 : member.mode & 0o777;
    return { mode, mtime: member.mtime, owner: this.#ownerOf(member) };
  }

  #directory(member: TarMember, place: Place): void {
    if (place.relative === '') return;
    const path = join(place.root, place.relative);
    this.#ensureDirectory(member, path);
    writing(path, () => {
      const owner = this.#ownerOf(member);
      if (owner) chownSync(path, owner.uid, owner.gid);
      chmodSync(path, (member.mode & 0o777) | 0o700);
    });
  }

  #symlink(member: TarMember, place: Place): void {
    const target = member.linkTarget ?? '';
    if (place.relative === '') throw tarUnsafe(member.path, 'it stands where a directory must be');
    if (place.relative === controlFile) throw tarUnsafe(member.path, 'the control file cannot be a link');
    if (target === '' || target.includes('\0')) throw tarUnsafe(member.path, 'it points nowhere');
    const oid = place.root === this.#layout.dataDirectory ? tablespaceLink.exec(place.relative)?.[1] : undefined;
    if (oid !== undefined) return this.#requireTablespace(Number(oid), target);
    if (this.#links.length >= linksMax) throw tarUnsafe(member.path, `it is one of more than ${linksMax} symbolic links`);
    this.#links.push({ root: place.root, relative: place.relative, target });
  }

  /** Written out as a file of its own: PostgreSQL's files must not share their bytes. */
  #hardlink(member: TarMember, place: Place): void {
    const original = this.#linkedFile(member);
    const from = join(original.root, original.relative);
    const path = this.#pathFor(member, place);
    if (!isRegularFile(from)) throw tarUnsafe(member.path, `it is a hard link to '${member.linkTarget}', which is no file of this archive`);
    if (path === from) throw tarUnsafe(member.path, 'it is a hard link to itself');
    this.#creating(member, path, () => {
      if (isRegularFile(path)) unlinkSync(path);
      copyFileSync(from, path, constants.COPYFILE_EXCL);
    });
    this.#files++;
  }

  #linkedFile(member: TarMember): Place {
    const target = member.linkTarget ?? '';
    try {
      const place = placeOf(target, this.#layout);
      if (place !== undefined && place.relative !== controlFile && place.relative !== '') return place;
    } catch (error) {
      if (!isOperatorError(error, 'tar-unsafe')) throw error;
    }
    throw tarUnsafe(member.path, `it is a hard link to '${target}'`);
  }

  #pathFor(member: TarMember, place: Place): string {
    const held = place.root === this.#layout.dataDirectory && place.relative === controlFile;
    const path = join(place.root, held ? heldControlFile : place.relative);
    this.#ensureDirectory(member, dirname(path));
    if (!held && member.type === 'file') writing(path, () => this.#setAside?.takeBack(place, path));
    return path;
  }

  #ensureDirectory(member: TarMember, path: string): void {
    if (this.#directories.has(path)) return;
    this.#ensureDirectory(member, dirname(path));
    this.#creating(member, path, () => {
      try {
        mkdirSync(path, 0o700);
      } catch (error) {
        if (systemErrorCode(error) !== 'EEXIST' || !lstatSync(path).isDirectory()) throw error;
      }
    });
    this.#directories.add(path);
  }

  #creating(member: TarMember, path: string, create: () => void): void {
    writing(path, () => {
      try {
        create();
      } catch (error) {
        const code = systemErrorCode(error) ?? '';
        if (!['EEXIST', 'ENOTDIR', 'EISDIR', 'ELOOP'].includes(code)) throw error;
        throw tarUnsafe(member.path, 'another member stands in its place as something else');
      }
    });
  }

  /** An empty one, as a server without tablespaces writes it, does no harm and is kept: backup_manifest may name it. */
  #isTablespaceMap(member: TarMember, place: Place): boolean {
    return place.root === this.#layout.dataDirectory && place.relative === tablespaceMap && member.size > 0;
  }

  /** PostgreSQL would make its links anew from this file at the first start, to where the tablespaces lie at the source. */
  #collectTablespaceMap(member: TarMember): OpenMember {
    if (member.size > tablespaceMapBytesMax) throw tarUnsafe(member.path, 'it is too long for what it should be');
    const parts: Buffer[] = [];
    return {
      member,
      write: (bytes) => void parts.push(Buffer.from(bytes)),
      close: () => {
        for (const [oid, path] of parseTablespaceMap(Buffer.concat(parts).toString())) this.#requireTablespace(oid, path);
      },
    };
  }

  /** The link itself is made at the end, for every tablespace of the layout. */
  #requireTablespace(oid: number, path: string): void {
    if (this.#layout.tablespaces.some((tablespace) => tablespace.oid === oid)) return;
    throw new OperatorError('tablespace-missing', `the contents of tablespace ${oid} (${path} at the source) are not in this base backup`, {
      hint: `Restore one taken with basebackup_mode local-tar; or accept the loss of what that tablespace holds: --tablespace-dir ${oid}=EMPTY_DIRECTORY.`,
    });
  }

  /** Undefined: that of the other files, set at the end. */
  #ownerOf(member: TarMember): { uid: number; gid: number } | undefined {
    return this.#keepOwners && member.uid !== 0 && !isPlaceholder(member) ? { uid: member.uid, gid: member.gid } : undefined;
  }
}

/** What pg_basebackup puts into the archive itself, such as backup_manifest, has these in place of an owner (fe_utils and pg_basebackup.c). */
function isPlaceholder({ uid, gid }: TarMember): boolean {
  return uid === 0o4000 && gid === 0o2000;
}

/** pghoard itself puts these two into its archives, with attributes of its own making. */
function isPlainCopy(place: Place): boolean {
  return place.relative === controlFile || place.relative === 'backup_label';
}

function isRegularFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
