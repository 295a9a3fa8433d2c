/** ZIP: bytes → the documents in it as one, each under its name. An archive within an archive is not opened. */
import type { ReadResult, Section, UnreadPart } from '../../source.ts';
import { ReadingRefused } from '../refusal.ts';
import { mostHeadingCharacters, oneLine, titleFromName } from '../sections.ts';
import { openZip } from '../zip-limits.ts';
import type { ReadMember } from './member.ts';

export async function readZip(
  bytes: Uint8Array,
  name: string,
  onProgress: ((done: number) => void) | undefined,
  readMember: ReadMember,
): Promise<ReadResult> {
  const zip = openZip(bytes);
  // Folders, and what systems leave for themselves.
  const members = zip.names
    .filter((member) => !/\/$|(^|\/)(__MACOSX\/|\.[^./]|Thumbs\.db$|desktop\.ini$)/i.test(member))
    .sort();
  const sections: Section[] = [];
  const left: string[] = [];
  const unread: UnreadPart[] = [];
  let numTables = 0;
  for (const [index, member] of members.entries()) {
    const content = zip.read(member);
    const result = content.length === 0 ? null : await readMember(content, member.split(/[\\/]/).at(-1)!);
    const known = oneLine(member).slice(0, 300);
    if (result?.type === 'read') {
      numTables = addMember(sections, result, known, numTables);
      for (const part of result.unread ?? []) unread.push({ ...part, name: `${known}, ${part.name}` });
    } else {
      left.push(`${member.slice(0, 100)}: ${result?.reason ?? 'empty'}`);
      unread.push({ name: known, reason: result?.reason ?? 'empty' });
    }
    onProgress?.((index + 1) / members.length);
  }
  if (sections.length === 0) {
    const allLocked = left.length > 0 && left.every((line) => line.endsWith(': password'));
    if (allLocked) throw new ReadingRefused('password', left.slice(0, 20).join('; '));
    throw new ReadingRefused(
      left.length > 0 ? 'unsupported' : 'no-text',
      left.slice(0, 20).join('; ') || 'It holds no files.',
    );
  }
  const rest = unread.length > 0 ? { unread } : {};
  return { type: 'read', kind: 'zip', title: titleFromName(name), numPages: null, sections, ...rest };
}

/**
 * Appends a member's sections: its name before each place, its tables counted on from `numTables`. Returns the number of
 * tables there are now.
 */
export function addMember(
  sections: Section[],
  member: Extract<ReadResult, { type: 'read' }>,
  name: string,
  numTables: number,
): number {
  let most = numTables;
  for (const section of member.sections) {
    const row = section.row && { ...section.row, table: section.row.table + numTables };
    most = Math.max(most, row?.table ?? 0);
    sections.push({
      ...section,
      heading: section.heading ?? name.slice(0, mostHeadingCharacters),
      label: section.label === undefined ? name : `${name}, ${section.label}`,
      ...(row ? { row } : {}),
    });
  }
  return most;
}
