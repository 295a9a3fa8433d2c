/** What the parts of an office file of 2007 and later (OPC) say of each other. */
import { attributeOf, childrenOf, parseXml, type XmlElement } from '../xml.ts';
import type { Zip } from '../zip-limits.ts';

export type Relation = { type: string; target: string };

/** By their ids, the parts that a part points to; targets are names of entries, never paths. What lies outside is left out. */
export function relationsOf(zip: Zip, part: string): Map<string, Relation> {
  const slash = part.lastIndexOf('/') + 1;
  const name = `${part.slice(0, slash)}_rels/${part.slice(slash)}.rels`;
  const relations = new Map<string, Relation>();
  if (!zip.has(name)) return relations;
  for (const relation of childrenOf(parseXml(zip.read(name)), 'Relationship')) {
    const [id, type, target] = ['Id', 'Type', 'Target'].map((key) => attributeOf(relation, key));
    if (!id || !target || attributeOf(relation, 'TargetMode') === 'External') continue;
    relations.set(id, { type: type?.split('/').at(-1) ?? '', target: resolvePart(part.slice(0, slash), target) });
  }
  return relations;
}

/** A part as a tree, or undefined where the archive does not hold it. */
export function partOf(zip: Zip, name: string | undefined): XmlElement | undefined {
  return name !== undefined && zip.has(name) ? parseXml(zip.read(name)) : undefined;
}

/** "../media/a.png" seen from "ppt/slides/" is "ppt/media/a.png". */
export function resolvePart(folder: string, target: string): string {
  const parts = target.startsWith('/') ? [] : folder.split('/').filter(Boolean);
  for (const step of target.split('/')) {
    if (step === '..') parts.pop();
    else if (step !== '' && step !== '.') parts.push(step);
  }
  return parts.join('/');
}
